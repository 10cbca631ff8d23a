// Tables that sort by any column, show the rows with a word in them, and hide columns.

const FEW_ROWS = 2; // that need no filter

/** A cell as what it is sorted by: its first number, else its text; what is missing comes last. */
function sortKey(text) {
  const plain = text.trim();
  if (plain === "" || plain === NOTHING) return [2, 0];
  const number = /^[[<\s]*([−+-]?[\d,]*\.?\d+)/.exec(plain);
  if (number) return [0, Number(number[1].replaceAll(",", "").replace("−", "-"))];
  return [1, plain.toLowerCase()];
}

function compared(a, b, turned) {
  if (a[0] !== b[0]) return a[0] === 2 || b[0] === 2 ? a[0] - b[0] : (a[0] - b[0]) * turned;
  return (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0) * turned;
}

class SortedTable {
  constructor(holder) {
    this.holder = holder;
    this.name = holder.dataset.table;
    this.table = holder.querySelector("table");
    this.body = this.table.tBodies[0];
    this.rows = [...this.body.rows];
    this.heads = [...this.table.tHead.rows[0].cells];
    this.texts = this.rows.map((row) => [...row.cells].map((cell) => cell.textContent));
    this.headButtons();
    this.tools();
  }

  key(name) {
    return `${this.name}.${name}`;
  }

  headButtons() {
    this.heads.forEach((head, place) => {
      const button = element("button", { type: "button", className: "sort", textContent: head.textContent });
      button.addEventListener("click", () => this.sortBy(place));
      head.replaceChildren(button);
    });
  }

  tools() {
    const row = element("div", { className: "choices" });
    const title = this.holder.dataset.title;
    if (this.rows.length > FEW_ROWS) {
      this.find = element("input", {
        type: "search",
        placeholder: "filter rows",
        "aria-label": `Filter the rows of ${title}`,
      });
      this.find.addEventListener("input", () => this.change("find", this.find.value || null));
      this.none = element("span", { className: "quiet", role: "status" });
      row.append(this.find, this.none);
    }
    row.append(element("span", { className: "space" }), this.columnMenu(title));
    const saved = element("button", {
      type: "button",
      textContent: "CSV",
      "aria-label": `Download the rows shown of ${title} as CSV`,
    });
    saved.addEventListener("click", () => this.save());
    row.append(saved);
    this.holder.prepend(row);
  }

  columnMenu(title) {
    const menu = element(
      "details",
      { className: "menu" },
      element("summary", { textContent: "Columns", "aria-label": `Columns of ${title}` }),
    );
    const list = element("div", { className: "list" });
    this.boxes = this.heads.map((head, place) => {
      const box = element("input", { type: "checkbox", checked: true, disabled: place === 0 });
      box.addEventListener("change", () =>
        this.change(
          "hide",
          this.boxes.flatMap((one, column) => (one.checked ? [] : [column])).join(".") || null,
        ),
      );
      list.append(element("label", {}, box, ` ${head.textContent}`));
      return box;
    });
    menu.append(list);
    return menu;
  }

  change(name, value) {
    state.set(this.key(name), value);
    this.draw();
  }

  /** Up, then down, then as it was. */
  sortBy(place) {
    const now = state.get(this.key("sort"));
    this.change("sort", now === `${place}up` ? `${place}down` : now === `${place}down` ? null : `${place}up`);
  }

  /** Bring rows and columns to what the state says. */
  draw() {
    const [, column, way] = /^(\d+)(up|down)$/.exec(state.get(this.key("sort")) || "") || [];
    const sorted = column !== undefined && Number(column) < this.heads.length;
    this.heads.forEach((head, place) =>
      head.setAttribute(
        "aria-sort",
        sorted && Number(column) === place ? `${way === "up" ? "a" : "de"}scending` : "none",
      ),
    );
    const places = this.rows.map((_, place) => place);
    if (sorted) {
      const keys = this.texts.map((texts) => sortKey(texts[Number(column)]));
      places.sort((a, b) => compared(keys[a], keys[b], way === "up" ? 1 : -1) || a - b);
    }
    this.body.append(...places.map((place) => this.rows[place]));
    const wanted = this.find ? (state.get(this.key("find")) || "").toLowerCase() : "";
    if (this.find && this.find.value.toLowerCase() !== wanted) this.find.value = wanted;
    this.rows.forEach((row, place) => {
      row.hidden = !this.texts[place].some((text) => text.toLowerCase().includes(wanted));
    });
    if (this.none) this.none.textContent = this.rows.every((row) => row.hidden) ? "no row matches" : "";
    this.drawColumns();
  }

  drawColumns() {
    const hidden = new Set((state.get(this.key("hide")) || "").split(".").filter(Boolean).map(Number));
    this.boxes.forEach((box, place) => {
      box.checked = place === 0 || !hidden.has(place);
    });
    for (const row of this.table.rows)
      [...row.cells].forEach((cell, place) => {
        cell.hidden = place > 0 && hidden.has(place);
      });
  }

  /** The rows and columns that are shown, as they are shown. */
  save() {
    const rows = [this.table.tHead.rows[0], ...this.body.rows].filter((row) => !row.hidden);
    save(
      `${this.name}.csv`,
      "text/csv",
      asCsv(rows.map((row) => [...row.cells].filter((cell) => !cell.hidden).map((cell) => cell.textContent))),
    );
  }
}

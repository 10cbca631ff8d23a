// A figure of the page: its buttons, its chart drawn when it comes into view, what a pointer shows, downloads.

const FEW = 12; // variants that are drawn at first, the most accurate ones

/** Rows as objects; they come as columns' names and lists, which is a third of the size. */
function unpacked(figure) {
  if (!figure.unpacked) {
    figure.rows = figure.rows.map((row) =>
      Object.fromEntries(row.map((value, place) => [figure.fields[place], value])),
    );
    figure.unpacked = true;
  }
  return figure;
}

class Figure {
  constructor(holder, data) {
    this.holder = holder;
    this.data = data;
    this.kind = KINDS[data.kind];
    this.plot = holder.querySelector(".plot");
    this.tools = holder.querySelector(".tools");
    this.width = 0;
    this.place = null; // of the epoch that is pointed at
  }

  start() {
    unpacked(this.data);
    this.series = this.kind.series ? this.kind.series(this.data) : [];
    this.buttons();
    this.plot.addEventListener("pointermove", (event) => this.pointed(event));
    this.plot.addEventListener("pointerdown", (event) => this.pointed(event)); // a tap moves nothing
    this.plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.unpointed());
    this.plot.addEventListener("focusout", () => this.unpointed());
    this.plot.addEventListener("keydown", (event) => this.moved(event));
    this.ready = true;
  }

  key(name) {
    return `${this.data.id}.${name}`;
  }

  /** Keys of the series that are drawn: as chosen, else all, of many the most accurate. */
  chosen() {
    const asked = state.get(this.key("show"));
    if (asked !== null)
      return new Set(
        asked
          .split(".")
          .filter(Boolean)
          .map((place) => this.series[Number(place)]?.key),
      );
    const most = this.kind.most || FEW;
    if (this.series.length <= most) return new Set(this.series.map((one) => one.key));
    const kept = this.kind.always ? this.kind.always(this.data) : [];
    return new Set([...bestFirst(this.series.map((one) => one.key)).slice(0, most), ...kept]);
  }

  choose(keys) {
    const places = this.series.flatMap((one, place) => (keys.has(one.key) ? [place] : []));
    state.set(
      this.key("show"),
      places.length === this.series.length && this.series.length <= (this.kind.most || FEW)
        ? null
        : places.join("."),
    );
    this.draw();
  }

  /** What can be chosen; some kinds know it only from their rows. */
  choices() {
    const { choices = [] } = this.kind;
    return typeof choices === "function" ? choices(this.data) : choices;
  }

  view() {
    const keys = this.chosen();
    const view = { shown: this.series.filter((one) => keys.has(one.key)) };
    for (const { name, values } of this.choices()) {
      const kept = state.get(this.key(name));
      view[name] = values.some(([value]) => value === kept) ? kept : values[0]?.[0];
    }
    return view;
  }

  buttons() {
    const row = element("div", { className: "choices" });
    for (const { name, title, values } of this.choices()) row.append(this.select(name, title, values));
    row.append(element("span", { className: "space" }));
    row.append(this.button("SVG", "Download this figure as SVG", () => this.saveSvg()));
    row.append(this.button("CSV", "Download the data of this figure as CSV", () => this.saveCsv()));
    const data = this.button("Data", "Show the data of this figure as a table", () => this.showData(data));
    data.setAttribute("aria-expanded", false);
    row.append(data);
    this.tools.replaceChildren(row, ...(this.series.length > 1 ? [this.chips()] : []));
  }

  button(text, label, act) {
    const made = element("button", {
      type: "button",
      textContent: text,
      title: label,
      "aria-label": `${label}: ${this.data.title}`,
    });
    made.addEventListener("click", act);
    return made;
  }

  select(name, title, values) {
    const box = element(
      "select",
      { name, "aria-label": `${title}: ${this.data.title}` },
      ...values.map(([value, text]) => new Option(text, value)),
    );
    box.addEventListener("change", () => {
      state.set(this.key(name), box.value === values[0][0] ? null : box.value);
      this.draw();
    });
    return element("label", {}, `${title} `, box);
  }

  chips() {
    const row = element("div", {
      className: "chips",
      role: "group",
      "aria-label": `Variants of ${this.data.title}`,
    });
    for (const one of this.series) {
      const swatch = element("span", { className: "swatch" });
      swatch.style.background = one.colour;
      const chip = element(
        "button",
        {
          type: "button",
          className: "chip",
          title: `${one.title}: click to hide or show, double click or Shift to see it alone`,
        },
        swatch,
        one.title,
      );
      chip.dataset.key = one.key;
      chip.addEventListener("click", (event) => this.toggle(one.key, event.shiftKey));
      chip.addEventListener("dblclick", () => this.toggle(one.key, true));
      chip.addEventListener("pointerenter", () => this.emphasise(one.key));
      chip.addEventListener("pointerleave", () => this.emphasise(null));
      row.append(chip);
    }
    row.append(
      this.button("all", "Show every variant", () => this.choose(new Set(this.series.map((one) => one.key)))),
    );
    this.count = element("span", { className: "quiet" });
    row.append(this.count);
    return row;
  }

  toggle(key, alone) {
    const keys = this.chosen();
    if (alone) this.choose(new Set([key]));
    else if (keys.delete(key)) this.choose(keys);
    else this.choose(keys.add(key));
  }

  /** The others fade while a pointer rests on a variant's name. */
  emphasise(key) {
    for (const mark of this.plot.querySelectorAll("[data-series]"))
      mark.classList.toggle("dim", key !== null && mark.dataset.series !== key);
  }

  /** Bring buttons and chart to what the state says. */
  draw({ printed = false } = {}) {
    if (!this.ready) this.start();
    const view = this.view();
    for (const box of this.tools.querySelectorAll("select")) box.value = view[box.name];
    for (const chip of this.tools.querySelectorAll(".chip"))
      chip.setAttribute(
        "aria-pressed",
        view.shown.some((one) => one.key === chip.dataset.key),
      );
    if (this.count)
      this.count.textContent =
        view.shown.length < this.series.length ? `${view.shown.length} of ${this.series.length} shown` : "";
    this.width = this.plot.clientWidth || 700;
    this.current = view;
    const picture = this.picture(this.width, view);
    if (printed && this.series.length > 1) legend(picture, view.shown, this.width); // paper has no buttons with names
    this.plot.replaceChildren(picture);
    this.unpointed();
  }

  picture(width, view) {
    const picture = shape("svg", {
      width,
      role: "img",
      tabindex: 0,
      "aria-label": `${this.data.title}; the arrow keys read its values`,
    });
    const empty = !this.data.rows.length || (this.series.length > 0 && !view.shown.length);
    if (empty)
      picture.append(
        words(
          this.data.rows.length ? "nothing is chosen" : this.kind.empty || "no result yet",
          width / 2,
          30,
          {
            anchor: "middle",
            look: "mute",
          },
        ),
      );
    const height = empty ? 50 : Math.ceil(this.kind.draw(picture, width, this.data, view)) + 4;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    return picture;
  }

  pointed(event) {
    const panel = this.panelAt(event);
    if (panel) {
      const at = event.clientX - this.plot.getBoundingClientRect().left;
      const { inner, epochs } = panel;
      const share = (at - inner.left) / (inner.right - inner.left);
      const first = epochs === 1 ? 0 : 1;
      this.mark(
        Math.min(epochs, Math.max(1, Math.round(first + share * (epochs - first)))),
        event.clientX,
        event.clientY,
      );
      return;
    }
    const mark = event.target.closest?.("g, rect, text");
    const tip = mark?.tip || mark?.parentNode?.tip;
    if (tip) tooltip.show(tip, event.clientX, event.clientY);
    else this.unpointed();
  }

  panelAt(event) {
    const frame = this.plot.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    return this.current?.panels?.find(
      ({ inner }) =>
        x > inner.left - 10 && x < inner.right + 10 && y > inner.top - 5 && y < inner.bottom + 10,
    );
  }

  /** A line at an epoch in every panel, and its values. */
  mark(epoch, x, y) {
    this.place = epoch;
    this.plot.querySelectorAll(".cursor").forEach((line) => line.remove());
    const picture = this.plot.firstChild;
    for (const { inner, x: scale } of this.current.panels)
      picture.append(
        shape("line", {
          x1: scale(epoch),
          x2: scale(epoch),
          y1: inner.top,
          y2: inner.bottom,
          class: "cursor",
        }),
      );
    tooltip.show(this.current.epoch(epoch), x, y);
  }

  /** The arrow keys go through epochs, or through marks one by one. */
  moved(event) {
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") this.unpointed();
    if (!way) return;
    event.preventDefault();
    const panels = this.current.panels;
    if (!panels) {
      this.step(way);
      return;
    }
    const epoch = Math.min(panels[0].epochs, Math.max(1, (this.place ?? 0) + way));
    const frame = this.plot.getBoundingClientRect();
    this.mark(epoch, frame.left + panels[0].x(epoch), frame.top + panels[0].inner.top);
  }

  step(way) {
    const marks = [...this.plot.querySelectorAll("*")].filter((mark) => mark.tip);
    if (!marks.length) return;
    const place = Math.min(marks.length - 1, Math.max(0, (this.place ?? -1) + way));
    this.unpointed();
    this.place = place;
    const { x, y, width, height } = marks[place].getBBox();
    this.plot.firstChild.append(
      shape("rect", { x: x - 1, y: y - 1, width: width + 2, height: height + 2, class: "cursor" }),
    );
    const frame = marks[place].getBoundingClientRect();
    tooltip.show(marks[place].tip, frame.left + frame.width / 2, frame.top + frame.height / 2);
  }

  unpointed() {
    this.place = null;
    this.plot.querySelectorAll(".cursor").forEach((line) => line.remove());
    tooltip.hide();
  }

  /** As it is on the page, 900 pixels wide, in light colours, with the names of its colours below. */
  saveSvg() {
    const view = this.view();
    const picture = this.picture(900, view);
    if (this.series.length > 1) legend(picture, view.shown, 900);
    const rules = document.getElementById("plots").textContent;
    picture.prepend(
      shape("style", {}, rules),
      shape("rect", { width: "100%", height: "100%", fill: "var(--paper)" }),
    );
    picture.setAttribute("xmlns", NAMESPACE);
    settled(picture);
    save(`${this.data.id}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(picture));
  }

  saveCsv() {
    save(
      `${this.data.id}.csv`,
      "text/csv",
      asCsv([this.data.fields, ...this.data.rows.map((row) => Object.values(row))]),
    );
  }

  showData(button) {
    const open = this.holder.querySelector(".data");
    button.setAttribute("aria-expanded", !open);
    if (open) open.remove();
    else this.holder.append(dataTable(this.data));
  }
}

/** The rows as a table for readers who do not see the chart; of very many the first. */
function dataTable({ fields, rows, title }) {
  const most = 1000;
  const line = (cells, tag) =>
    element("tr", {}, ...cells.map((text) => element(tag, { textContent: text ?? NOTHING })));
  const table = element(
    "table",
    {},
    element("caption", {
      textContent: rows.length > most ? `${title}, the first ${most} of ${rows.length} rows` : title,
    }),
  );
  table.append(
    element("thead", {}, line(fields, "th")),
    element("tbody", {}, ...rows.slice(0, most).map((row) => line(Object.values(row), "td"))),
  );
  return element("div", { className: "wide data", tabIndex: 0 }, table);
}

/** Colours in the place of their names, which mean nothing outside of the page; texts stay as they are. */
function settled(picture) {
  const colours = (text) => text.replace(/var\((--\w+)\)/g, (whole, name) => LIGHT[name] ?? whole);
  for (const mark of [picture, ...picture.querySelectorAll("*")]) {
    for (const name of ["fill", "stroke"])
      if (mark.hasAttribute(name)) mark.setAttribute(name, colours(mark.getAttribute(name)));
    if (mark.tagName === "style") mark.textContent = colours(mark.textContent);
  }
}

/** Names of the colours, in lines below a picture that leaves the page. */
function legend(picture, series, within) {
  let [x, y] = [0, Number(picture.getAttribute("height")) + 14];
  for (const one of series) {
    const width = textWidth(one.title) + 34;
    if (x + width > within) [x, y] = [0, y + 20];
    picture.append(
      shape("rect", { x, y: y - 10, width: 12, height: 12, fill: one.colour }),
      words(one.title, x + 18, y),
    );
    x += width;
  }
  picture.setAttribute("height", y + 12);
  picture.setAttribute("viewBox", `0 0 ${within} ${y + 12}`);
}

function asCsv(rows) {
  const cell = (value) =>
    /[",\n\r]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? "");
  return `${rows.map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** One box for all figures; screen readers are told what it says. */
const tooltip = {
  box: element("div", { className: "tip", role: "status", hidden: true }),
  show(lines, x, y) {
    this.box.replaceChildren(
      ...lines.map((line, place) => element("div", { className: place ? "" : "first", textContent: line })),
    );
    this.box.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.box;
    this.box.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 12))}px`;
    this.box.style.top = `${y + 18 + height > innerHeight ? Math.max(8, y - height - 12) : y + 18}px`;
  },
  hide() {
    this.box.hidden = true;
  },
};

// Starts the page. What a reader chose stands in the address behind #, so that it can be sent to somebody.

const PAGE = JSON.parse(document.getElementById("numbers").textContent);
const LIGHT = Object.fromEntries(PAGE.colours.light);

const state = {
  values: new URLSearchParams(),
  read() {
    this.values = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  },
  get(name) {
    return this.values.get(name);
  },
  set(name, value) {
    if (value === null) this.values.delete(name);
    else this.values.set(name, value);
    history.replaceState(
      null,
      "",
      this.values.size ? `#${this.values}` : location.pathname + location.search,
    );
  },
};

function start() {
  state.read();
  document.body.append(tooltip.box);
  const byId = new Map(PAGE.figures.map((figure) => [figure.id, figure]));
  const figures = [...document.querySelectorAll("figure[data-figure]")].map(
    (holder) => new Figure(holder, byId.get(holder.dataset.figure)),
  );
  const tables = [...document.querySelectorAll("[data-table]")].map((holder) => new SortedTable(holder));
  const theme = document.getElementById("theme");
  const redraw = () => {
    document.documentElement.dataset.theme = ["light", "dark"].includes(state.get("theme"))
      ? state.get("theme")
      : "auto";
    theme.value = document.documentElement.dataset.theme;
    for (const table of tables) table.draw();
    for (const figure of figures) if (figure.ready) figure.draw();
  };
  theme.addEventListener("change", () => {
    state.set("theme", theme.value === "auto" ? null : theme.value);
    redraw();
  });
  document.documentElement.classList.add("alive");
  redraw();
  drawWhenSeen(figures);
  for (const button of document.querySelectorAll("button[data-save]"))
    button.addEventListener("click", () => saveImage(button));
  for (const link of document.querySelectorAll("a[href^='#']"))
    link.addEventListener("click", (event) => goTo(event, link.hash.slice(1)));
  addEventListener("hashchange", () => {
    state.read();
    redraw();
  });
  addEventListener("beforeprint", () => {
    for (const figure of figures) figure.draw({ printed: true });
  });
  addEventListener("afterprint", redraw);
  goTo(null, location.hash.includes("=") ? state.get("at") : location.hash.slice(1));
}

/** Hundreds of charts are drawn only as they come near; all again when the width has changed. */
function drawWhenSeen(figures) {
  const owners = new Map(figures.map((figure) => [figure.holder, figure]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries)
        if (entry.isIntersecting && !owners.get(entry.target).ready) owners.get(entry.target).draw();
    },
    { rootMargin: "600px" },
  );
  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = owners.get(entry.target);
      if (figure.ready && figure.plot.clientWidth !== figure.width) figure.draw();
    }
  });
  for (const figure of figures) {
    seen.observe(figure.holder);
    resized.observe(figure.holder);
  }
}

/** A section, without losing what is chosen: the address keeps both. */
function goTo(event, id) {
  const target = id ? document.getElementById(id) : null;
  if (!target) return;
  event?.preventDefault();
  if (event) state.set("at", id);
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

function saveImage(button) {
  const picture = button.closest("figure").querySelector("img").src;
  const letters = atob(picture.slice(picture.indexOf(",") + 1));
  save(
    `${button.dataset.save}.svg`,
    "image/svg+xml",
    new TextDecoder().decode(Uint8Array.from(letters, (letter) => letter.charCodeAt(0))),
  );
}

start();

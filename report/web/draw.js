// What every chart is drawn with: SVG elements, text that fits, scales and their ticks, axes.

const NAMESPACE = "http://www.w3.org/2000/svg";
const FONT = "system-ui, sans-serif";
const NOTHING = "–";

/** An SVG element; children are elements or text, and text is never read as markup. */
function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An HTML element; `properties` are set as properties, those with a dash or `role` as attributes. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

const canvas = document.createElement("canvas").getContext("2d");

/** Pixels that a text takes in one line. */
function textWidth(text, size = 12) {
  canvas.font = `${size}px ${FONT}`;
  return canvas.measureText(text).width;
}

/** The text, cut off with an ellipsis where it is wider than `most` pixels. */
function fitted(text, most, size = 12) {
  if (textWidth(text, size) <= most) return text;
  const letters = [...text];
  let low = 0;
  let high = letters.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (textWidth(letters.slice(0, middle).join("") + "…", size) <= most) low = middle;
    else high = middle - 1;
  }
  return `${letters.slice(0, low).join("").trimEnd()}…`;
}

/** Words in the plot: `anchor` start, middle or end; `size` in pixels; a look of plots.css. */
function words(text, x, y, { anchor = "start", size = 12, look = "", turn = null, most = null } = {}) {
  const shown = most === null ? String(text) : fitted(String(text), most, size);
  const place = turn === null ? { x, y } : { transform: `translate(${x},${y}) rotate(${turn})` };
  return shape("text", { ...place, "text-anchor": anchor, "font-size": size, class: look || null }, shown);
}

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const sign = (text) => text.replace("-", "−");
const percent = (value, digits = 2) => (known(value) ? sign((100 * value).toFixed(digits)) : NOTHING);
const roundPercent = (value) => percent(value, 1).replace(/\.0$/, "");
const signed = (value, digits = 2) => (value > 0 ? "+" : "") + percent(value, digits);
const interval = (low, high) => `[${percent(low)}, ${percent(high)}]`;
const withDeviation = (text, deviation) => (deviation === NOTHING ? text : `${text} ± ${deviation}`);
const chance = (value) => (value < 0.0001 ? "< 0.0001" : `= ${value.toFixed(4)}`);

/** 1234567 as 1.2M. */
function short(value) {
  if (!known(value)) return NOTHING;
  const [size, unit] = [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ].find(([most]) => Math.abs(value) >= most) || [1, ""];
  return sign(`${Number((value / size).toPrecision(3))}${unit}`);
}

/** From data to pixels; `ticks` are round numbers inside the domain. */
function linear([from, to], [start, end], wanted = 5) {
  const span = to - from || 1;
  const scale = (value) => start + ((value - from) / span) * (end - start);
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * power).find((one) => one >= rough * 0.999);
  scale.ticks = [];
  const first = Math.ceil(from / step - 1e-9);
  for (let place = 0; place <= 2 * wanted && (first + place) * step <= to + 1e-9 * step; place++)
    scale.ticks.push(Number(((first + place) * step).toPrecision(12)));
  scale.log = false;
  return scale;
}

/** As `linear`, for positive values, with ticks at 1, 2 and 5 of each power of ten, at more where few of them lie. */
function logarithmic([from, to], [start, end], most = 6) {
  const low = Math.log(from);
  const span = Math.log(to) - low || 1;
  const scale = (value) => start + ((Math.log(Math.max(value, from / 10)) - low) / span) * (end - start);
  const at = (steps) => {
    const found = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++)
      found.push(...steps.map((times) => Number((times * 10 ** power).toPrecision(12))));
    return found.filter((tick) => tick >= from && tick <= to);
  };
  const few = at([1, 2, 5]);
  const ticks = few.length > 1 ? few : at([1, 1.5, 2, 3, 4, 5, 6, 8]);
  const tens = ticks.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
  scale.ticks =
    ticks.length > most && tens.length > 1
      ? tens
      : ticks.filter((_, place) => place % Math.ceil(ticks.length / most) === 0);
  scale.log = true;
  return scale;
}

/** Least and greatest of the known numbers, with a margin; [0, 1] of none. */
function extent(values, { margin = 0.05, zero = false, log = false } = {}) {
  const found = values.filter((value) => known(value) && (!log || value > 0));
  if (!found.length) return log ? [0.1, 1] : [0, 1];
  let low = Infinity;
  let high = -Infinity;
  for (const value of found) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (log)
    return low === high
      ? [low / 1.5, high * 1.5]
      : [low / (high / low) ** margin, high * (high / low) ** margin];
  if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  const span = high - low > 1e-9 * Math.abs(high) ? high - low : 0; // less is a rounding error
  const more = (span || Math.abs(high) || 1) * margin;
  return [zero && low === 0 ? 0 : low - more, high + more];
}

/** Grid lines and numbers of a vertical axis, at the left of `box`. */
function verticalAxis(into, box, scale, show = String) {
  for (const tick of scale.ticks) {
    const y = scale(tick);
    into.append(shape("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" }));
    into.append(words(show(tick), box.left - 6, y + 4, { anchor: "end", size: 11, look: "mute" }));
  }
}

/** Grid lines and numbers of a horizontal axis, below `box`. */
function horizontalAxis(into, box, scale, { show = String, title = "", grid = true } = {}) {
  let last = -Infinity;
  for (const tick of scale.ticks) {
    const x = scale(tick);
    if (grid) into.append(shape("line", { x1: x, x2: x, y1: box.top, y2: box.bottom, class: "grid" }));
    const half = textWidth(show(tick), 11) / 2;
    if (x - half < last + 6) continue;
    into.append(words(show(tick), x, box.bottom + 15, { anchor: "middle", size: 11, look: "mute" }));
    last = x + half;
  }
  if (title)
    into.append(
      words(title, (box.left + box.right) / 2, box.bottom + 32, { anchor: "middle", look: "mute" }),
    );
}

/** A line from low to high with short ends, along x or y. */
function whisker(low, high, across, { along = "x", cap = 4, look = "whisker", stroke = "var(--ink)" } = {}) {
  const path =
    along === "x"
      ? `M${low},${across - cap}v${2 * cap}M${low},${across}H${high}M${high},${across - cap}v${2 * cap}`
      : `M${across - cap},${low}h${2 * cap}M${across},${low}V${high}M${across - cap},${high}h${2 * cap}`;
  return shape("path", { d: path, class: look, stroke });
}

/** The mark of a printed value. */
function diamond(x, y, { size = 5, fill = "var(--ink)", stroke = "var(--ink)" } = {}) {
  return shape("path", {
    d: `M${x},${y - size}l${size},${size}l${-size},${size}l${-size},${-size}z`,
    class: "printed",
    fill,
    stroke,
  });
}

/** Places of panels of equal width, at least `least` pixels wide, `height` high: boxes around all that a panel holds. */
function panels(number, width, height, { least = 300, gap = 20, most = 4, top: first = 0 } = {}) {
  const columns = Math.max(1, Math.min(number, most, Math.floor((width + gap) / (least + gap))));
  const each = (width - gap * (columns - 1)) / columns;
  return Array.from({ length: number }, (_, place) => {
    const left = (place % columns) * (each + gap);
    const top = first + Math.floor(place / columns) * (height + gap);
    return { left, top, right: left + each, bottom: top + height, width: each, height };
  });
}

const lowest = (boxes) => Math.max(0, ...boxes.map((box) => box.bottom));

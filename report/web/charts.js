// Charts of rows with numbers: bars, forests, points, curves. Each draws into an SVG group and returns its height.
// A mark with a `tip` shows these lines when it is pointed at; `data-series` names the variant that it belongs to.

const BAR = 26;

function tipped(mark, lines, series = null) {
  mark.tip = lines;
  if (series !== null) mark.setAttribute("data-series", series);
  return mark;
}

/** Widths of the names at the left, never more than 42 % of the panel. */
function nameColumn(items, width, size = 12) {
  return Math.min(0.42 * width, Math.max(0, ...items.map((item) => textWidth(item.title, size)))) + 8;
}

function barTip(item, show) {
  const lines = [item.title];
  if (known(item.value)) lines.push(`${withDeviation(show(item.value), known(item.deviation) ? show(item.deviation) : NOTHING)}${item.unit || ""}`);
  else lines.push(item.state || "no result");
  if (known(item.low)) lines.push(`${item.line || "95 % interval"}: ${show(item.low)} to ${show(item.high)}`);
  if (known(item.printed)) lines.push(`printed ${show(item.printed)}`);
  if (known(item.n)) lines.push(`n = ${item.n}`);
  return lines;
}

/** Horizontal bars from zero, so that names stay readable on a narrow screen. */
function bars(into, box, items, { show, ticks = show, heading = "" }) {
  const top = box.top + (heading ? 22 : 2);
  if (heading) into.append(words(heading, box.left, box.top + 13, { look: "strong", most: box.width }));
  const names = nameColumn(items, box.width);
  const inner = { left: box.left + names, right: box.right - 52, top, bottom: top + items.length * BAR };
  const scale = linear(extent(items.flatMap((item) => [item.value, item.high, item.printed]), { zero: true, margin: 0.02 }), [inner.left, inner.right], 4);
  horizontalAxis(into, inner, scale, { show: ticks });
  items.forEach((item, place) => {
    const y = top + place * BAR + BAR / 2;
    const row = shape("g");
    row.append(shape("rect", { x: box.left, y: y - BAR / 2, width: box.width, height: BAR, class: "touch" }));
    row.append(words(item.title, inner.left - 8, y + 4, { anchor: "end", most: names - 8 }));
    if (known(item.value)) {
      row.append(shape("rect", { x: inner.left, y: y - 8, width: Math.max(0, scale(item.value) - inner.left), height: 16, fill: item.colour }));
      if (known(item.low)) row.append(whisker(scale(item.low), scale(item.high), y));
    } else row.append(words(item.state || "no result", inner.left + 6, y + 4, { look: "mute", most: inner.right - inner.left }));
    if (known(item.printed)) row.append(diamond(scale(item.printed), y));
    if (known(item.value)) row.append(words(show(item.value), Math.max(scale(item.value), known(item.high) ? scale(item.high) : 0, known(item.printed) ? scale(item.printed) : 0) + 8, y + 4, { size: 11 }));
    into.append(tipped(row, barTip(item, show), item.series));
  });
  return inner.bottom + 24;
}

/** Bars in panels beside each other where there is room. */
function barPanels(into, width, groups, { least = 320, most = 3 } = {}) {
  const height = Math.max(...groups.map((group) => group.items.length * BAR + 50));
  const boxes = panels(groups.length, width, height, { least, most });
  groups.forEach((group, place) => bars(into, boxes[place], group.items, group));
  return lowest(boxes);
}

/** Points with their intervals, one below the other, on an axis that does not begin at zero. */
function forest(into, width, items) {
  const names = nameColumn(items, width);
  const values = width > 620 ? 190 : 0;
  const top = 6;
  const inner = { left: names, right: width - values - 8, top, bottom: top + items.length * BAR };
  const scale = linear(extent(items.flatMap((item) => [item.low, item.high, item.value, item.printed])), [inner.left, inner.right], width > 620 ? 7 : 4);
  horizontalAxis(into, inner, scale, { show: roundPercent, title: "test accuracy %, best weights" });
  items.forEach((item, place) => {
    const y = top + place * BAR + BAR / 2;
    const row = shape("g", { class: item.faint ? "faint" : null });
    row.append(shape("rect", { x: 0, y: y - BAR / 2, width, height: BAR, class: "touch" }));
    row.append(words(item.title, inner.left - 8, y + 4, { anchor: "end", most: names - 8 }));
    if (known(item.low)) row.append(whisker(scale(item.low), scale(item.high), y, { stroke: item.colour, look: "whisker thick" }));
    row.append(shape("circle", { cx: scale(item.value), cy: y, r: 5, fill: item.colour }));
    if (known(item.printed)) row.append(diamond(scale(item.printed), y));
    if (values) row.append(words(`${percent(item.value)} ${interval(item.low, item.high)}`, width, y + 4, { anchor: "end", size: 11 }));
    into.append(tipped(row, barTip(item, (value) => `${percent(value)}`), item.series));
  });
  return inner.bottom + 40;
}

/** Accuracy against a cost: points, intervals, and the front that no other point is better than in both. */
function scatter(into, box, items, { title, log, heading = "" }) {
  const inner = { left: box.left + 44, right: box.right - 8, top: box.top + (heading ? 24 : 8), bottom: box.bottom - 40 };
  if (heading) into.append(words(heading, box.left, box.top + 13, { look: "strong", most: box.width }));
  const costs = items.flatMap((item) => [item.x, item.printedX]);
  const x = (log ? logarithmic : linear)(extent(costs, { log, margin: 0.08, zero: !log }), [inner.left, inner.right], 6);
  const y = linear(extent(items.flatMap((item) => [item.low, item.high, item.value, item.printed]), { margin: 0.08 }), [inner.bottom, inner.top], 5);
  verticalAxis(into, inner, y, roundPercent);
  horizontalAxis(into, inner, x, { show: short, title });
  const front = items.filter((item) => item.front).sort((a, b) => a.x - b.x || a.value - b.value);
  if (front.length > 1) into.append(shape("path", { d: front.map((item, place) => (place ? `H${x(item.x)}V${y(item.value)}` : `M${x(item.x)},${y(item.value)}`)).join(""), class: "front" }));
  const taken = [];
  for (const item of items) {
    if (!known(item.value) || !known(item.x)) continue;
    const mark = shape("g");
    const [cx, cy] = [x(item.x), y(item.value)];
    if (known(item.low)) mark.append(whisker(y(item.low), y(item.high), cx, { along: "y", stroke: item.colour, look: "whisker thick" }));
    mark.append(shape("circle", { cx, cy, r: 6, fill: item.hollow ? "var(--paper)" : item.colour, stroke: item.colour, "stroke-width": 2 }));
    if (known(item.printed) && known(item.printedX)) mark.append(diamond(x(item.printedX), y(item.printed), { fill: item.colour }));
    into.append(tipped(mark, [...barTip(item, (value) => `${percent(value)}`), `${title}: ${short(item.x)}`, ...(item.more || [])], item.series));
    taken.push({ left: cx - 7, right: cx + 7, top: cy - 7, bottom: cy + 7 });
  }
  for (const item of items) if (known(item.value) && known(item.x)) nameBeside(into, inner, item, x(item.x), y(item.value), taken);
  return box.bottom;
}

/** A name at the side of a point where it covers nothing; none where all sides are taken. */
function nameBeside(into, inner, item, x, y, taken) {
  const width = Math.min(textWidth(item.title, 11), 150);
  const sides = [[x + 10, y + 4, "start", x + 10], [x - 10, y + 4, "end", x - 10 - width], [x, y - 11, "middle", x - width / 2], [x, y + 19, "middle", x - width / 2]];
  for (const [left, base, anchor, start] of sides) {
    const place = { left: start, right: start + width, top: base - 10, bottom: base + 3 };
    const inside = place.left >= inner.left && place.right <= inner.right + 6 && place.top >= inner.top - 8;
    if (!inside || taken.some((other) => place.left < other.right && other.left < place.right && place.top < other.bottom && other.top < place.bottom)) continue;
    taken.push(place);
    into.append(tipped(words(item.title, left, base, { anchor, size: 11, most: 150, look: "halo" }), [item.title], item.series));
    return;
  }
}

/** Mean curves over epochs, with a band of one deviation; training solid, validation dashed, printed values as diamonds. */
function curves(into, box, series, { what, log, parts }) {
  const inner = { left: box.left + 46, right: box.right - 10, top: box.top + 24, bottom: box.bottom - 40 };
  const accuracy = what === "accuracy";
  into.append(words(accuracy ? "accuracy %" : `loss${log ? ", logarithmic" : ""}`, box.left, box.top + 13, { look: "strong" }));
  const lines = series.flatMap((one) => parts.map((part) => ({ ...one, part, name: `${part}_${what}` })));
  const last = Math.max(1, ...lines.flatMap((line) => line.rows.flatMap((row) => [row.epoch, row.printed_epochs].filter(known))));
  const first = last === 1 ? 0 : 1;
  const x = linear([first, last], [inner.left, inner.right], box.width > 420 ? 8 : 5);
  x.ticks = x.ticks.filter((tick) => Number.isInteger(tick) && tick > 0);
  const spread = (line, row) => [row[line.name] - (row[`${line.name}_sd`] || 0), row[line.name] + (row[`${line.name}_sd`] || 0)];
  const domain = extent(lines.flatMap((line) => line.rows.flatMap((row) => [...spread(line, row), row[`printed_${line.name}`]])), { log });
  const y = (log ? logarithmic : linear)(domain, [inner.bottom, inner.top], 6);
  verticalAxis(into, inner, y, accuracy ? (value) => percent(value, 0) : (value) => String(value));
  horizontalAxis(into, inner, x, { title: "epoch", grid: false });
  const clamp = (value) => Math.min(Math.max(y(value), inner.top), inner.bottom);
  for (const line of lines) into.append(curve(line, x, clamp, spread));
  return { inner, x, epochs: last };
}

function curve(line, x, y, spread) {
  const group = shape("g", { "data-series": line.key });
  const dash = line.part === "train" ? null : "5 4";
  const rows = line.rows.filter((row) => known(row[line.name]));
  if (!rows.length) return group;
  if (rows.some((row) => row[`${line.name}_sd`])) {
    const upper = rows.map((row) => `${x(row.epoch)},${y(spread(line, row)[1])}`);
    const lower = rows.map((row) => `${x(row.epoch)},${y(spread(line, row)[0])}`).reverse();
    group.append(shape("path", { d: `M${[...upper, ...lower].join("L")}z`, fill: line.colour, class: "band" }));
  }
  group.append(shape("path", { d: `M${rows.map((row) => `${x(row.epoch)},${y(row[line.name])}`).join("L")}`, stroke: line.colour, "stroke-dasharray": dash, class: "curve" }));
  if (rows.length <= 12) for (const row of rows) group.append(shape("circle", { cx: x(row.epoch), cy: y(row[line.name]), r: 2.5, fill: line.colour }));
  const end = rows[rows.length - 1];
  const printed = end[`printed_${line.name}`];
  if (known(printed)) group.append(diamond(x(end.printed_epochs ?? end.epoch), y(printed), { fill: line.part === "train" ? line.colour : "var(--paper)", stroke: line.colour }));
  return group;
}

/** Reliability: how often a network is right where it is so sure, and below how many images that are. */
function reliability(into, box, one) {
  const inner = { left: box.left + 38, right: box.right - 14, top: box.top + 24, bottom: box.bottom - 78 };
  const below = { left: inner.left, right: inner.right, top: inner.bottom + 6, bottom: box.bottom - 38 };
  const x = linear([0, 1], [inner.left, inner.right], 4);
  const y = linear([0, 1], [inner.bottom, inner.top], 4);
  into.append(words(one.title, box.left, box.top + 13, { look: "strong", most: box.width }));
  verticalAxis(into, inner, y, (value) => percent(value, 0));
  horizontalAxis(into, { ...below, top: inner.top }, x, { show: (value) => percent(value, 0), title: "confidence %" });
  into.append(shape("line", { x1: inner.left, x2: inner.right, y1: inner.bottom, y2: inner.top, class: "mark" }));
  const most = Math.max(...one.rows.map((row) => row.share), 1e-9);
  for (const row of one.rows) {
    const tip = [one.title, `confidence ${percent(row.confidence)} %`, `right ${percent(row.accuracy)} %`, `${percent(row.share)} % of the images`, `n = ${row.n}`];
    const height = (row.share / most) * (below.bottom - below.top);
    const bin = shape("g");
    bin.append(shape("rect", { x: x(row.low) + 1, width: Math.max(1, x(row.high) - x(row.low) - 2), y: inner.top, height: below.bottom - inner.top, class: "touch" }));
    bin.append(shape("rect", { x: x(row.low) + 1, width: Math.max(1, x(row.high) - x(row.low) - 2), y: below.bottom - height, height, class: "shares" }));
    bin.append(shape("circle", { cx: x(row.confidence), cy: y(row.accuracy), r: 4, fill: one.colour }));
    into.append(tipped(bin, tip, one.key));
  }
  into.append(shape("path", { d: `M${one.rows.map((row) => `${x(row.confidence)},${y(row.accuracy)}`).join("L")}`, stroke: one.colour, class: "curve" }));
}

/** Of two variants, class by class: images that only the one got right to the right, those of the other to the left. */
function flipBars(into, width, rows, [ours, theirs]) {
  const items = rows.map((row) => ({ ...row, title: row.class }));
  const names = nameColumn(items, width);
  const inner = { left: names + 40, right: width - 44, top: 26, bottom: 26 + items.length * BAR };
  const most = Math.max(1, ...items.flatMap((item) => [item.only_ours_right, item.only_theirs_right]));
  const scale = linear([-most, most], [inner.left, inner.right], width > 620 ? 8 : 4);
  const middle = scale(0);
  const half = middle - inner.left - 8;
  into.append(words(`only ${theirs.title} right`, middle - 8, 14, { anchor: "end", look: "strong", most: half }), words(`only ${ours.title} right`, middle + 8, 14, { look: "strong", most: half }));
  horizontalAxis(into, inner, scale, { show: (value) => short(Math.abs(value)), title: "test images, mean over pairs of seeds" });
  items.forEach((item, place) => {
    const y = inner.top + place * BAR + BAR / 2;
    const row = shape("g");
    row.append(shape("rect", { x: 0, y: y - BAR / 2, width, height: BAR, class: "touch" }));
    row.append(words(item.title, names - 8, y + 4, { anchor: "end", most: names - 8 }));
    for (const [value, way, one] of [[item.only_ours_right, 1, ours], [item.only_theirs_right, -1, theirs]]) {
      const end = scale(way * value);
      row.append(shape("rect", { x: Math.min(middle, end), y: y - 8, width: Math.abs(end - middle), height: 16, fill: one.colour }));
      row.append(words(short(value), end + way * 6, y + 4, { anchor: way > 0 ? "start" : "end", size: 11 }));
    }
    into.append(tipped(row, [item.title, `${short(item.only_ours_right)} images only ${ours.title} got right`, `${short(item.only_theirs_right)} only ${theirs.title}`, `of ${item.images} images`]));
  });
  return inner.bottom + 40;
}

// Rows below each other: bars, forests, flips. Each draws into an SVG group and returns where it ends.
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
  if (known(item.value))
    lines.push(
      `${withDeviation(show(item.value), known(item.deviation) ? show(item.deviation) : NOTHING)}${item.unit || ""}`,
    );
  else lines.push(item.state || "no result");
  if (known(item.low)) lines.push(`${item.line || "95 % interval"}: ${show(item.low)} to ${show(item.high)}`);
  if (known(item.printed)) lines.push(`printed ${show(item.printed)}`);
  if (known(item.n)) lines.push(`n = ${item.n}`);
  if (item.drawn) lines.push(item.drawn);
  return lines;
}

const barDomain = (items) =>
  extent(
    items.flatMap((item) => [item.value, item.high, item.printed]),
    { zero: true, margin: 0.02 },
  );

/** Horizontal bars from zero, so that names stay readable on a narrow screen. */
function bars(
  into,
  box,
  items,
  { show, ticks = show, heading = "", domain = barDomain(items), beside = items },
) {
  const top = box.top + (heading ? 22 : 2);
  if (heading) into.append(words(heading, box.left, box.top + 13, { look: "strong", most: box.width }));
  const names = nameColumn(beside, box.width);
  const inner = { left: box.left + names, right: box.right - 52, top, bottom: top + items.length * BAR };
  const scale = linear(domain, [inner.left, inner.right], 4);
  horizontalAxis(into, inner, scale, { show: ticks });
  items.forEach((item, place) => {
    const y = top + place * BAR + BAR / 2;
    const row = shape("g");
    row.append(shape("rect", { x: box.left, y: y - BAR / 2, width: box.width, height: BAR, class: "touch" }));
    row.append(words(item.title, inner.left - 8, y + 4, { anchor: "end", most: names - 8 }));
    if (known(item.value)) {
      row.append(
        shape("rect", {
          x: inner.left,
          y: y - 8,
          width: Math.max(0, scale(item.value) - inner.left),
          height: 16,
          fill: item.colour,
        }),
      );
      if (known(item.low)) row.append(whisker(scale(item.low), scale(item.high), y));
    } else
      row.append(
        words(item.state || "no result", inner.left + 6, y + 4, {
          look: "mute",
          most: inner.right - inner.left,
        }),
      );
    if (known(item.printed)) row.append(diamond(scale(item.printed), y));
    if (known(item.value))
      row.append(
        words(
          show(item.value),
          Math.max(
            scale(item.value),
            known(item.high) ? scale(item.high) : 0,
            known(item.printed) ? scale(item.printed) : 0,
          ) + 8,
          y + 4,
          { size: 11 },
        ),
      );
    into.append(tipped(row, barTip(item, show), item.series));
  });
  return inner.bottom + 24;
}

/** Bars in panels beside each other where there is room; `together`: on one scale. */
function barPanels(into, width, groups, { least = 320, most = 3, together = false } = {}) {
  const all = groups.flatMap((group) => group.items);
  const shared = together ? { domain: barDomain(all), beside: all } : {};
  const height = Math.max(...groups.map((group) => group.items.length * BAR + 50));
  const boxes = panels(groups.length, width, height, { least, most });
  groups.forEach((group, place) => bars(into, boxes[place], group.items, { ...group, ...shared }));
  return lowest(boxes);
}

/** Points with their intervals, one below the other, on an axis that does not begin at zero. */
function forest(into, width, items) {
  const names = nameColumn(items, width);
  const values = width > 620 ? 190 : 0;
  const top = 6;
  const inner = { left: names, right: width - values - 8, top, bottom: top + items.length * BAR };
  const scale = linear(
    extent(items.flatMap((item) => [item.low, item.high, item.value, item.printed])),
    [inner.left, inner.right],
    width > 620 ? 7 : 4,
  );
  horizontalAxis(into, inner, scale, { show: roundPercent, title: "test accuracy %, best weights" });
  items.forEach((item, place) => {
    const y = top + place * BAR + BAR / 2;
    const row = shape("g", { class: item.faint ? "faint" : null });
    row.append(shape("rect", { x: 0, y: y - BAR / 2, width, height: BAR, class: "touch" }));
    row.append(words(item.title, inner.left - 8, y + 4, { anchor: "end", most: names - 8 }));
    if (known(item.low))
      row.append(
        whisker(scale(item.low), scale(item.high), y, { stroke: item.colour, look: "whisker thick" }),
      );
    row.append(shape("circle", { cx: scale(item.value), cy: y, r: 5, fill: item.colour }));
    if (known(item.printed)) row.append(diamond(scale(item.printed), y));
    if (values)
      row.append(
        words(`${percent(item.value)} ${interval(item.low, item.high)}`, width, y + 4, {
          anchor: "end",
          size: 11,
        }),
      );
    into.append(
      tipped(
        row,
        barTip(item, (value) => `${percent(value)}`),
        item.series,
      ),
    );
  });
  return inner.bottom + 40;
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
  into.append(
    words(`only ${theirs.title} right`, middle - 8, 14, { anchor: "end", look: "strong", most: half }),
    words(`only ${ours.title} right`, middle + 8, 14, { look: "strong", most: half }),
  );
  horizontalAxis(into, inner, scale, {
    show: (value) => short(Math.abs(value)),
    title: "test images, mean over pairs of seeds",
  });
  items.forEach((item, place) => {
    const y = inner.top + place * BAR + BAR / 2;
    const row = shape("g");
    row.append(shape("rect", { x: 0, y: y - BAR / 2, width, height: BAR, class: "touch" }));
    row.append(words(item.title, names - 8, y + 4, { anchor: "end", most: names - 8 }));
    for (const [value, way, one] of [
      [item.only_ours_right, 1, ours],
      [item.only_theirs_right, -1, theirs],
    ]) {
      const end = scale(way * value);
      row.append(
        shape("rect", {
          x: Math.min(middle, end),
          y: y - 8,
          width: Math.abs(end - middle),
          height: 16,
          fill: one.colour,
        }),
      );
      row.append(
        words(value.toFixed(1), end + way * 6, y + 4, { anchor: way > 0 ? "start" : "end", size: 11 }),
      );
    }
    into.append(
      tipped(row, [
        item.title,
        `${item.only_ours_right.toFixed(1)} images only ${ours.title} got right`,
        `${item.only_theirs_right.toFixed(1)} only ${theirs.title}`,
        `of ${item.images} images`,
      ]),
    );
  });
  return inner.bottom + 40;
}

// Charts with two axes: points, curves, reliability.

/** Accuracy against a cost: points, intervals, and the front that no other point is better than in both. */
function scatter(into, box, items, { title, log, heading = "" }) {
  const inner = {
    left: box.left + 44,
    right: box.right - 8,
    top: box.top + (heading ? 24 : 8),
    bottom: box.bottom - 40,
  };
  if (heading) into.append(words(heading, box.left, box.top + 13, { look: "strong", most: box.width }));
  const costs = items.flatMap((item) => [item.x, item.printedX]);
  const x = (log ? logarithmic : linear)(
    extent(costs, { log, margin: 0.08, zero: !log }),
    [inner.left, inner.right],
    6,
  );
  const y = linear(
    extent(
      items.flatMap((item) => [item.low, item.high, item.value, item.printed]),
      { margin: 0.08 },
    ),
    [inner.bottom, inner.top],
    5,
  );
  verticalAxis(into, inner, y, roundPercent);
  horizontalAxis(into, inner, x, { show: short, title });
  const front = items.filter((item) => item.front).sort((a, b) => a.x - b.x || a.value - b.value);
  if (front.length > 1)
    into.append(
      shape("path", {
        d: front
          .map((item, place) => (place ? `H${x(item.x)}V${y(item.value)}` : `M${x(item.x)},${y(item.value)}`))
          .join(""),
        class: "front",
      }),
    );
  const taken = [];
  for (const item of items) {
    if (!known(item.value) || !known(item.x)) continue;
    const mark = shape("g");
    const [cx, cy] = [x(item.x), y(item.value)];
    if (known(item.low))
      mark.append(
        whisker(y(item.low), y(item.high), cx, { along: "y", stroke: item.colour, look: "whisker thick" }),
      );
    mark.append(
      shape("circle", {
        cx,
        cy,
        r: 6,
        fill: item.hollow ? "var(--paper)" : item.colour,
        stroke: item.colour,
        "stroke-width": 2,
      }),
    );
    if (known(item.printed) && known(item.printedX))
      mark.append(diamond(x(item.printedX), y(item.printed), { fill: item.colour }));
    into.append(
      tipped(
        mark,
        [...barTip(item, (value) => `${percent(value)}`), `${title}: ${short(item.x)}`, ...(item.more || [])],
        item.series,
      ),
    );
    taken.push({ left: cx - 7, right: cx + 7, top: cy - 7, bottom: cy + 7 });
  }
  for (const item of items)
    if (known(item.value) && known(item.x)) nameBeside(into, inner, item, x(item.x), y(item.value), taken);
  return box.bottom;
}

/** A name at the side of a point where it covers nothing; none where all sides are taken. */
function nameBeside(into, inner, item, x, y, taken) {
  const width = Math.min(textWidth(item.title, 11), 150);
  const sides = [
    [x + 10, y + 4, "start", x + 10],
    [x - 10, y + 4, "end", x - 10 - width],
    [x, y - 11, "middle", x - width / 2],
    [x, y + 19, "middle", x - width / 2],
  ];
  for (const [left, base, anchor, start] of sides) {
    const place = { left: start, right: start + width, top: base - 10, bottom: base + 3 };
    const inside = place.left >= inner.left && place.right <= inner.right + 6 && place.top >= inner.top - 8;
    if (
      !inside ||
      taken.some(
        (other) =>
          place.left < other.right &&
          other.left < place.right &&
          place.top < other.bottom &&
          other.top < place.bottom,
      )
    )
      continue;
    taken.push(place);
    into.append(
      tipped(
        words(item.title, left, base, { anchor, size: 11, most: 150, look: "halo" }),
        [item.title],
        item.series,
      ),
    );
    return;
  }
}

/** A loss or a rate where there is room for few digits. */
function plain(value) {
  if (value >= 1000) return short(value);
  return value > 0 && value < 0.001 ? value.toExponential() : String(value);
}

const CURVES = { loss: "loss", accuracy: "accuracy %", rate: "learning rate" };

/** Mean curves over epochs, with a band of one deviation; training solid, validation dashed, printed values as diamonds. */
function curves(into, box, series, { what, log, parts }) {
  const inner = { left: box.left + 46, right: box.right - 10, top: box.top + 24, bottom: box.bottom - 40 };
  const accuracy = what === "accuracy";
  into.append(
    words(`${CURVES[what]}${log ? ", logarithmic" : ""}`, box.left, box.top + 13, { look: "strong" }),
  );
  const lines = series.flatMap((one) => parts.map((part) => ({ ...one, part, name: `${part}_${what}` })));
  const last = Math.max(
    1,
    ...lines.flatMap((line) => line.rows.flatMap((row) => [row.epoch, row.printed_epochs].filter(known))),
  );
  const first = last === 1 ? 0 : 1;
  const x = linear([first, last], [inner.left, inner.right], box.width > 420 ? 8 : 5);
  x.ticks = x.ticks.filter((tick) => Number.isInteger(tick) && tick > 0);
  const spread = (line, row) => [
    Math.max(0, row[line.name] - (row[`${line.name}_sd`] || 0)), // neither is ever below nothing
    row[line.name] + (row[`${line.name}_sd`] || 0),
  ];
  const domain = extent(
    lines.flatMap((line) => line.rows.flatMap((row) => [...spread(line, row), row[`printed_${line.name}`]])),
    { log },
  );
  const y = (log ? logarithmic : linear)(domain, [inner.bottom, inner.top], 6);
  verticalAxis(
    into,
    inner,
    y,
    accuracy ? (value) => percent(value, 0) : plain,
  );
  horizontalAxis(into, inner, x, { title: "epoch", grid: false });
  const clamp = (value) => Math.min(Math.max(y(value), inner.top), inner.bottom);
  for (const line of lines) into.append(curve(line, x, clamp, spread));
  return { inner, x, epochs: last };
}

function curve(line, x, y, spread) {
  const group = shape("g", { "data-series": line.key });
  const dash = line.part === "val" ? "5 4" : null;
  const rows = line.rows.filter((row) => known(row[line.name]));
  if (!rows.length) return group;
  if (rows.some((row) => row[`${line.name}_sd`])) {
    const upper = rows.map((row) => `${x(row.epoch)},${y(spread(line, row)[1])}`);
    const lower = rows.map((row) => `${x(row.epoch)},${y(spread(line, row)[0])}`).reverse();
    group.append(
      shape("path", { d: `M${[...upper, ...lower].join("L")}z`, fill: line.colour, class: "band" }),
    );
  }
  group.append(
    shape("path", {
      d: `M${rows.map((row) => `${x(row.epoch)},${y(row[line.name])}`).join("L")}`,
      stroke: line.colour,
      "stroke-dasharray": dash,
      class: "curve",
    }),
  );
  if (rows.length <= 12)
    for (const row of rows)
      group.append(
        shape("circle", {
          cx: x(row.epoch),
          cy: y(row[line.name]),
          r: 2.5,
          fill: line.part === "val" ? "var(--paper)" : line.colour,
          stroke: line.colour,
        }),
      );
  const end = rows[rows.length - 1];
  const printed = end[`printed_${line.name}`];
  if (known(printed))
    group.append(
      diamond(x(end.printed_epochs ?? end.epoch), y(printed), {
        fill: line.part === "train" ? line.colour : "var(--paper)",
        stroke: line.colour,
      }),
    );
  return group;
}

/** Reliability: how often a network is right where it is so sure, and below how many images that are; `most` in a bin. */
function reliability(into, box, one, most) {
  const inner = { left: box.left + 38, right: box.right - 14, top: box.top + 24, bottom: box.bottom - 78 };
  const below = { left: inner.left, right: inner.right, top: inner.bottom + 6, bottom: box.bottom - 38 };
  const x = linear([0, 1], [inner.left, inner.right], 4);
  const y = linear([0, 1], [inner.bottom, inner.top], 4);
  into.append(words(one.title, box.left, box.top + 13, { look: "strong", most: box.width }));
  verticalAxis(into, inner, y, (value) => percent(value, 0));
  horizontalAxis(into, { ...below, top: inner.top }, x, {
    show: (value) => percent(value, 0),
    title: "confidence %",
  });
  into.append(
    shape("line", { x1: inner.left, x2: inner.right, y1: inner.bottom, y2: inner.top, class: "mark" }),
  );
  for (const row of one.rows) {
    const tip = [
      one.title,
      `confidence ${percent(row.confidence)} %`,
      `right ${percent(row.accuracy)} %`,
      `${percent(row.share)} % of the images`,
      `n = ${row.n}`,
    ];
    const height = (row.share / most) * (below.bottom - below.top);
    const bin = shape("g");
    bin.append(
      shape("rect", {
        x: x(row.low) + 1,
        width: Math.max(1, x(row.high) - x(row.low) - 2),
        y: inner.top,
        height: below.bottom - inner.top,
        class: "touch",
      }),
    );
    bin.append(
      shape("rect", {
        x: x(row.low) + 1,
        width: Math.max(1, x(row.high) - x(row.low) - 2),
        y: below.bottom - height,
        height,
        class: "shares",
      }),
    );
    bin.append(shape("circle", { cx: x(row.confidence), cy: y(row.accuracy), r: 4, fill: one.colour }));
    into.append(tipped(bin, tip, one.key));
  }
  into.append(
    shape("path", {
      d: `M${one.rows.map((row) => `${x(row.confidence)},${y(row.accuracy)}`).join("L")}`,
      stroke: one.colour,
      class: "curve",
    }),
  );
}

// Charts of cells: every pair of variants, what networks take for what, classes of all variants.

/** A cell's colour: blue for more, orange for less, as strong as `share` of the strongest. */
function cell(x, y, width, height, share, { negative = false } = {}) {
  return shape("rect", {
    x,
    y,
    width,
    height,
    class: negative ? "cell less" : "cell more",
    "fill-opacity": Math.max(0, Math.min(1, share)).toFixed(3),
  });
}

/** The text on a cell of that strength. */
function onCell(text, x, y, share, { size = 11, strong = false } = {}) {
  return words(text, x, y, {
    anchor: "middle",
    size,
    look: [share > 0.6 ? "light" : "", strong ? "strong" : ""].join(" ").trim(),
  });
}

/** The pairs, row less column. A told-apart difference is bold with a star, an equal one has "="; where no text fits
    these are a dot and a dash. */
function pairMatrix(into, width, names, rows) {
  const label = Math.min(0.34 * width, 200, Math.max(...names.map((one) => textWidth(one.title)))) + 8;
  const side = Math.max(8, Math.min(64, (width - label) / names.length));
  const height = Math.min(side, 40);
  const head = Math.min(150, label);
  const largest = Math.max(...rows.map((row) => Math.abs(row.difference)), 1e-9);
  const size = side < 44 ? 9.5 : 11;
  const texts = rows.flatMap((row) => [pairText(row, 1), pairText(row, -1)]);
  const written = texts.every((text) => textWidth(text, size) < side - 3); // all cells or none: a blank one says something
  const look = { side, height, largest, size, written };
  names.forEach((one, place) => {
    const middle = label + (place + 0.5) * side;
    into.append(
      words(one.title, middle + 4, head - 6, { turn: -90, most: head - 8, size: Math.min(11, side) }),
    );
    into.append(
      words(one.title, label - 8, head + (place + 0.5) * height + 4, {
        anchor: "end",
        most: label - 8,
        size: Math.min(12, height),
      }),
    );
  });
  const ground = { x: label, y: head, width: names.length * side, height: names.length * height };
  into.append(shape("rect", { ...ground, class: "empty" }));
  const places = new Map(names.map((one, place) => [one.key, place]));
  for (const row of rows) {
    for (const way of [1, -1]) {
      const keys = way > 0 ? [row.ours, row.theirs] : [row.theirs, row.ours];
      const [line, column] = keys.map((key) => places.get(key));
      into.append(
        tipped(pairCell(row, way, label + column * side, head + line * height, look), pairTip(row, way)),
      );
    }
  }
  const foot = head + names.length * height + 16;
  into.append(
    words("blue: the row's variant is ahead; orange: it is behind", 0, foot, { size: 11, look: "mute" }),
  );
  return foot + 6;
}

function pairText(row, way) {
  return signed(way * row.difference, 1) + (row.ahead ? "*" : row.equal ? "=" : "");
}

function pairCell(row, way, x, y, { side, height, largest, size, written }) {
  const group = shape("g");
  const value = way * row.difference;
  const share = Math.sqrt(Math.abs(value) / largest) * (row.ahead ? 1 : 0.45);
  group.append(cell(x + 1, y + 1, side - 2, height - 2, share, { negative: value < 0 }));
  const [cx, cy] = [x + side / 2, y + height / 2];
  if (written)
    group.append(onCell(pairText(row, way), cx, cy + 4, share, { size, strong: Boolean(row.ahead) }));
  else if (row.ahead) group.append(shape("circle", { cx, cy, r: Math.min(2.5, side / 5), class: "dot" }));
  else if (row.equal)
    group.append(shape("line", { x1: cx - side / 4, x2: cx + side / 4, y1: cy, y2: cy, class: "dash" }));
  return group;
}

/** `way`: -1 where the row of the matrix is the second of the pair. */
function pairTip(row, way) {
  const titles = [row.ours_title, row.theirs_title];
  const ends = [row.difference_low, row.difference_high];
  const [ours, theirs] = way > 0 ? titles : titles.reverse();
  const [low, high] = way > 0 ? ends : ends.map((end) => -end).reverse();
  return [
    `${ours} less ${theirs}`,
    `${signed(way * row.difference)} points ${interval(low, high)}`,
    `p ${chance(row.p)}, adjusted ${chance(row.p_holm)}`,
    row.verdict,
  ];
}

/** What the strengths of all matrices below mean. */
function colourScale(into, [least, most]) {
  const start = textWidth(least, 11) + 6;
  const apart = "true classes downwards, predicted ones across";
  into.append(words(least, 0, 13, { size: 11, look: "mute" }));
  for (let step = 0; step < 20; step++) into.append(cell(start + step * 6, 3, 6, 12, (step + 0.5) / 20));
  into.append(words(most, start + 126, 13, { size: 11, look: "mute" }));
  into.append(words(apart, 0, 30, { size: 11, look: "mute" }));
}

/** True classes downwards, predicted ones across; `value` of a row is a count or a share, `most` that of the strongest. */
function confusionMatrix(into, box, one, { classes, value, show, most }) {
  into.append(words(one.title, box.left, box.top + 13, { look: "strong", most: box.width }));
  const roomy = (box.width - 20) / classes.length >= 11;
  const label = roomy
    ? Math.min(110, 0.3 * box.width, Math.max(...classes.map((name) => textWidth(name, 10))) + 6)
    : 14;
  const side = (box.width - label) / classes.length;
  const [left, top] = [box.left + label, box.top + 22];
  const bottom = top + classes.length * side;
  into.append(
    shape("rect", { x: left, y: top, width: classes.length * side, height: bottom - top, class: "empty" }),
  );
  classes.forEach((name, place) => {
    if (!roomy) return;
    into.append(
      words(name, left - 4, top + (place + 0.5) * side + 3.5, { anchor: "end", size: 10, most: label - 6 }),
    );
    into.append(
      words(name, left + (place + 0.5) * side + 3.5, bottom + 4, {
        anchor: "end",
        size: 10,
        turn: -90,
        most: label - 6,
      }),
    );
  });
  into.append(
    words("predicted", left + (classes.length * side) / 2, bottom + (roomy ? label : 0) + 14, {
      anchor: "middle",
      size: 11,
      look: "mute",
    }),
  );
  one.rows.forEach((row, place) => {
    const [line, column] = [Math.floor(place / classes.length), place % classes.length];
    if (!row.images && !roomy) return;
    const mark = cell(
      left + column * side + 0.5,
      top + line * side + 0.5,
      side - 1,
      side - 1,
      value(row) / most,
    );
    into.append(
      tipped(
        mark,
        [
          one.title,
          `${row.true} taken for ${row.predicted}`,
          `${row.images} images, ${percent(row.share)} % of the true class`,
          `n = ${row.n}`,
        ],
        one.key,
      ),
    );
    if (side >= 26 && row.images)
      into.append(
        onCell(show(row), left + (column + 0.5) * side, top + (line + 0.5) * side + 4, value(row) / most, {
          size: 10,
        }),
      );
  });
  return bottom + (roomy ? label : 0) + 20;
}

/** Height of such a matrix in a box of that width. */
function confusionHeight(width, classes) {
  const roomy = (width - 20) / classes.length >= 11;
  const label = roomy
    ? Math.min(110, 0.3 * width, Math.max(...classes.map((name) => textWidth(name, 10))) + 6)
    : 14;
  return 22 + (width - label) + (roomy ? label : 0) + 24;
}

/** Variants downwards where there are few, classes across; the strength is the value of the cell, from 0 to 1. */
function classTable(into, width, names, classes, value, tip) {
  const tall = width / classes.length < 34;
  const [lines, columns] = tall ? [classes, names] : [names, classes];
  const title = (one) => (typeof one === "string" ? one : one.title);
  const label = Math.min(0.32 * width, 180, Math.max(...lines.map((one) => textWidth(title(one))))) + 8;
  const side = Math.min(70, (width - label) / columns.length);
  const longest = Math.max(...columns.map((one) => textWidth(title(one), 11)));
  const level = longest <= side - 4; // else upright
  const head = level ? 20 : Math.min(120, longest + 10);
  const upright = { turn: -90, most: head - 8 };
  columns.forEach((one, place) => {
    const middle = label + (place + 0.5) * side;
    const how = level ? { anchor: "middle" } : upright;
    into.append(words(title(one), level ? middle : middle + 4, head - 6, { size: 11, ...how }));
  });
  lines.forEach((line, row) => {
    const y = head + row * 24;
    into.append(words(title(line), label - 8, y + 16, { anchor: "end", most: label - 8 }));
    columns.forEach((column, place) => {
      const [one, name] = tall ? [column, line] : [line, column];
      const found = value(one.key, name);
      if (!known(found)) return;
      const mark = shape("g");
      mark.append(cell(label + place * side + 1, y + 1, side - 2, 22, found ** 1.5));
      if (side >= 30)
        mark.append(
          onCell(percent(found, 0), label + (place + 0.5) * side, y + 16, found ** 1.5, { size: 10.5 }),
        );
      into.append(tipped(mark, tip(one, name), one.key));
    });
  });
  return head + lines.length * 24 + 6;
}

// What each kind of figure shows: its series (what can be hidden), its choices, and how its rows become a chart.
// PAGE is what report/html.py put into the page: `variants` by label, `figures`, `colours`.

const points = (value) => percent(value, 1);
const decimals = (value) => (value ? sign(value.toFixed(value < 0.01 ? 4 : 2)) : "0");
const PARTS = { train: "training", val: "validation" };

const COSTS = ["parameters", "flops", "train_s"];

const variant = (label) => PAGE.variants[label] || { title: label, colour: 0, accuracy: null };
const colourOf = (label) => `var(--c${variant(label).colour})`;
const choice = (name, title, ...values) => ({ name, title, values });
const distinct = (values) => [...new Set(values)];

/** The variants of a figure's rows, in their order there. */
function seriesOf(figure) {
  const titles = new Map(figure.rows.map((row) => [row.variant, row.title]));
  return [...titles].map(([key, title]) => ({
    key,
    title: title || variant(key).title,
    colour: colourOf(key),
  }));
}

function rowsBy(figure) {
  const found = new Map();
  for (const row of figure.rows) found.set(row.variant, [...(found.get(row.variant) || []), row]);
  return found;
}

function barItem(row, name, title) {
  return {
    title: title || row.title || variant(row.variant).title,
    value: row[name],
    deviation: row[`${name}_sd`],
    low: row.low,
    high: row.high,
    printed: row[`printed_${name}`],
    n: row.n,
    drawn: variant(row.variant).drawn,
    state: row.state,
    colour: colourOf(row.variant),
    series: row.variant,
    unit: name.endsWith("accuracy") ? " %" : "",
  };
}

/** A bar whose line is one deviation of the seeds either way. */
function spreadItem(row, name) {
  const item = barItem(row, name);
  if (!known(item.deviation)) return item;
  return {
    ...item,
    low: item.value - item.deviation,
    high: item.value + item.deviation,
    line: "± one deviation",
  };
}

function sizeItem(row) {
  return { ...barItem(row, "test_accuracy"), x: row.parameters, printedX: row.printed_parameters };
}

const HISTORIES = {
  series: seriesOf,
  choices: [
    choice("curves", "Curves", ["both", "both"], ["train", "training"], ["val", "validation"]),
    choice("loss", "Loss axis", ["auto", "as it needs"], ["linear", "linear"], ["log", "logarithmic"]),
  ],
  draw(into, width, figure, view) {
    const rows = rowsBy(figure);
    const series = view.shown.map((one) => ({ ...one, rows: rows.get(one.key) }));
    const parts = view.curves === "both" ? ["train", "val"] : [view.curves];
    const boxes = panels(2, width, 270, { least: 330, most: 2 });
    const log = view.loss === "log" || (view.loss === "auto" && farApart(series, parts));
    view.panels = ["loss", "accuracy"].map((what, place) =>
      curves(into, boxes[place], series, { what, log: log && what === "loss", parts }),
    );
    view.epoch = (epoch) => epochLines(series, parts, epoch);
    return lowest(boxes);
  },
};

/** Whether some loss is a hundred times another one, so that a linear axis would show nothing but that. */
function farApart(series, parts) {
  const losses = series.flatMap((one) => parts.flatMap((part) => one.rows.map((row) => row[`${part}_loss`])));
  return Math.max(...losses) > 100 * Math.min(...losses);
}

/** What the shown curves are at an epoch, one line for each variant. */
function epochLines(series, parts, epoch) {
  const lines = [`epoch ${epoch}`];
  for (const one of series) {
    const row = one.rows.find((candidate) => candidate.epoch === epoch);
    if (!row) continue;
    const told = parts.map((part) => {
      const told = (what, show) => {
        const deviation = row[`${part}_${what}_sd`];
        return withDeviation(show(row[`${part}_${what}`]), known(deviation) ? show(deviation) : NOTHING);
      };
      return `${PARTS[part]} ${told("accuracy", points)} %, loss ${told("loss", (value) => value.toFixed(3))}`;
    });
    lines.push(`${one.title}: ${told.join("; ")} (n = ${row.n})`);
  }
  return lines.length > 13 ? [...lines.slice(0, 13), "…"] : lines;
}

/** Labels by mean test accuracy, those without one last. */
function bestFirst(labels) {
  return [...labels].sort((a, b) => (variant(b).accuracy ?? -1) - (variant(a).accuracy ?? -1));
}

/** The pairs of a figure's rows, each once. */
function flippedPairs(figure) {
  return [...new Map(figure.rows.map((row) => [`${row.ours}\n${row.theirs}`, row])).values()];
}

const KINDS = {
  history: HISTORIES,
  histories: HISTORIES,
  rates: {
    most: 12,
    series: seriesOf,
    choices: [
      choice("axis", "Axis", ["auto", "as it needs"], ["linear", "linear"], ["log", "logarithmic"]),
    ],
    draw(into, width, figure, view) {
      const rows = rowsBy(figure);
      const series = view.shown.map((one) => ({ ...one, rows: rows.get(one.key) }));
      const rates = series.flatMap((one) => one.rows.map((row) => row.learning_rate));
      const decades = Math.min(...rates) > 0 && Math.max(...rates) >= 100 * Math.min(...rates);
      const log = view.axis === "log" || (view.axis === "auto" && decades);
      const wide = Math.min(width, 700);
      const box = { left: 0, right: wide, top: 0, bottom: 270, width: wide };
      // the field is called learning_rate, as others are train_loss
      view.panels = [curves(into, box, series, { what: "rate", log, parts: ["learning"] })];
      view.epoch = (epoch) => {
        const told = series.flatMap((one) => {
          const row = one.rows.find((candidate) => candidate.epoch === epoch);
          return row ? [`${one.title}: ${Number(row.learning_rate.toPrecision(4))} (n = ${row.n})`] : [];
        });
        return [`epoch ${epoch}`, ...(told.length > 12 ? [...told.slice(0, 12), "…"] : told)];
      };
      return box.bottom;
    },
  },
  metrics: {
    choices: [choice("weights", "Weights", ["last", "last epoch"], ["best", "best"])],
    draw(into, width, figure, view) {
      const rows = figure.rows.filter((row) => row.weights === view.weights);
      const group = (part, what) => ({
        heading: `${PARTS[part]} ${what === "loss" ? "loss" : "accuracy %"}, ${view.weights === "last" ? "last epoch" : "best weights"}`,
        show: what === "loss" ? decimals : points,
        ticks: what === "loss" ? decimals : roundPercent,
        items: rows.map((row) => spreadItem(row, `${part}_${what}`)),
      });
      return barPanels(
        into,
        width,
        [group("train", "loss"), group("val", "loss"), group("train", "accuracy"), group("val", "accuracy")],
        { least: 360, most: 2 },
      );
    },
  },
  accuracy: {
    draw: (into, width, figure) =>
      barPanels(into, width, [
        {
          items: figure.rows.map((row) => barItem(row, "test_accuracy")),
          show: points,
          ticks: roundPercent,
          heading: "test accuracy %",
        },
      ]),
  },
  tuning: {
    draw(into, width, figure) {
      const groups = figure.sweeps.map((sweep) => ({
        heading: sweep.title,
        show: points,
        ticks: roundPercent,
        items: figure.rows
          .filter((row) => row.sweep === sweep.name)
          .map((row) => barItem(row, "test_accuracy", row.point)),
      }));
      return barPanels(into, width, groups, { least: 280, together: true });
    },
  },
  complexity: {
    series: seriesOf,
    choices: [choice("axis", "Size axis", ["log", "logarithmic"], ["linear", "linear"])],
    draw(into, width, figure, view) {
      const rows = figure.rows.filter((row) => view.shown.some((one) => one.key === row.variant));
      const boxes = panels(2, width, Math.max(rows.length * BAR + 50, 300), { least: 340, most: 2 });
      bars(
        into,
        boxes[0],
        rows.map((row) => barItem(row, "test_accuracy")),
        { show: points, ticks: roundPercent, heading: "test accuracy %" },
      );
      scatter(into, boxes[1], rows.map(sizeItem), {
        title: "parameters",
        log: view.axis === "log",
        heading: "accuracy % and size",
      });
      return lowest(boxes);
    },
  },
  class_distribution: {
    draw(into, width, figure) {
      const groups = ["train", "validation", "test"].map((part, place) => ({
        heading: `${part === "train" ? "training" : part} images`,
        show: short,
        items: figure.rows.map((row) => ({
          title: row.class,
          value: row[part],
          colour: `var(--part${place})`,
        })),
      }));
      return barPanels(into, width, groups, { least: 240 });
    },
  },
  confusion: {
    most: 4,
    series: seriesOf,
    choices: [
      choice("numbers", "Cells", ["rates", "rates"], ["counts", "counts"]),
      choice("scale", "Colours", ["linear", "linear"], ["root", "square root, shows rare ones"]),
    ],
    draw(into, width, figure, view) {
      const rows = rowsBy(figure);
      const read = view.numbers === "counts" ? (row) => row.images : (row) => row.share;
      const value = view.scale === "root" ? (row) => Math.sqrt(read(row)) : read;
      const top = view.numbers === "counts" ? Math.max(1, ...figure.rows.map(value)) : 1;
      const first = rows.values().next().value;
      const classes = first
        ? first.slice(0, Math.round(Math.sqrt(first.length))).map((row) => row.predicted)
        : [];
      colourScale(
        into,
        view.numbers === "counts"
          ? ["0", String(Math.max(...figure.rows.map(read)))]
          : ["0", "100 % of the true class"],
      );
      const each = panels(view.shown.length, width, 0, { least: 320, most: 2 })[0].width;
      const boxes = panels(view.shown.length, width, confusionHeight(each, classes), {
        least: 320,
        most: 2,
        top: 44,
      });
      view.shown.forEach((one, place) =>
        confusionMatrix(
          into,
          boxes[place],
          { ...one, rows: rows.get(one.key) },
          {
            classes,
            value,
            most: top,
            show: (row) => (view.numbers === "counts" ? String(row.images) : percent(row.share, 0)),
          },
        ),
      );
      return lowest(boxes);
    },
  },
  forest: {
    choices(figure) {
      const values = [
        ["hide", "hidden"],
        ["show", "below the variants"],
      ];
      const rivals = figure.rows.filter((row) => !row.of_sweep).length;
      return rivals === figure.rows.length
        ? []
        : [choice("sweeps", "Points of sweeps", ...(rivals > 1 ? values : values.reverse()))];
    },
    draw(into, width, figure, view) {
      const rivals = figure.rows.filter((row) => !row.of_sweep);
      const of_sweeps = view.sweeps === "show" ? figure.rows.filter((row) => row.of_sweep) : [];
      const rows = [...rivals, ...of_sweeps];
      return forest(
        into,
        width,
        rows.map((row) => ({ ...barItem(row, "test_accuracy"), faint: row.of_sweep && rivals.length > 0 })),
      );
    },
  },
  pairs: {
    empty: "fewer than two variants to compare",
    draw(into, width, figure) {
      const labels = bestFirst(distinct(figure.rows.flatMap((row) => [row.ours, row.theirs])));
      const titles = new Map(
        figure.rows.flatMap((row) => [
          [row.ours, row.ours_title],
          [row.theirs, row.theirs_title],
        ]),
      );
      return pairMatrix(
        into,
        Math.min(width, 900),
        labels.map((key) => ({ key, title: titles.get(key) })),
        figure.rows,
      );
    },
  },
  pareto: {
    series: seriesOf,
    always: (figure) =>
      figure.rows
        .filter((row) => COSTS.some((cost) => row[`dominated_${cost}`] === null))
        .map((row) => row.variant),
    choices: [
      choice(
        "cost",
        "Cost",
        ["parameters", "parameters"],
        ["flops", "FLOPs of an image"],
        ["train_s", "training seconds"],
      ),
      choice("axis", "Cost axis", ["log", "logarithmic"], ["linear", "linear"]),
    ],
    draw(into, width, figure, view) {
      const items = figure.rows
        .filter((row) => view.shown.some((one) => one.key === row.variant))
        .map((row) => {
          const by = row[`dominated_${view.cost}`];
          return {
            ...barItem(row, "test_accuracy"),
            x: row[view.cost],
            front: by === null,
            hollow: by !== null,
            more: by === null ? ["on the front"] : [`dominated by ${variant(by).title}`],
          };
        });
      const title = KINDS.pareto.choices[0].values.find(([value]) => value === view.cost)[1];
      return scatter(into, { left: 0, right: width, top: 0, bottom: 400, width }, items, {
        title,
        log: view.axis === "log",
        heading: "test accuracy %",
      });
    },
  },
  classes: {
    most: 24,
    series: seriesOf,
    choices: [choice("score", "Score", ["recall", "recall"], ["precision", "precision"], ["f1", "F1"])],
    draw(into, width, figure, view) {
      const cells = new Map(figure.rows.map((row) => [`${row.variant}\n${row.class}`, row]));
      const at = (key, name) => cells.get(`${key}\n${name}`);
      const score = (key, name) => (at(key, name)?.images ? at(key, name)[view.score] : null); // without images there is none
      const total = (name) => view.shown.reduce((sum, one) => sum + (score(one.key, name) ?? Infinity), 0);
      const classes = distinct(figure.rows.map((row) => row.class)).sort((a, b) =>
        total(a) === total(b) ? 0 : total(a) - total(b),
      );
      return classTable(into, width, view.shown, classes, score, (one, name) => {
        const row = at(one.key, name);
        const told = (score) =>
          withDeviation(
            percent(row[score]),
            known(row[`${score}_sd`]) ? percent(row[`${score}_sd`]) : NOTHING,
          );
        return [
          `${one.title}: ${name}`,
          `recall ${told("recall")} %`,
          `precision ${told("precision")} %`,
          `F1 ${told("f1")} %`,
          `${row.images} images, n = ${row.n}`,
        ];
      });
    },
  },
  flips: {
    empty: "fewer than two variants to compare",
    choices: (figure) => [
      choice(
        "pair",
        "Pair",
        ...flippedPairs(figure).map(({ ours, theirs }, place) => [
          String(place),
          `${variant(ours).title} and ${variant(theirs).title}`,
        ]),
      ),
    ],
    draw(into, width, figure, view) {
      const { ours, theirs } = flippedPairs(figure)[Number(view.pair)];
      const rows = figure.rows.filter((row) => row.ours === ours && row.theirs === theirs);
      return flipBars(
        into,
        Math.min(width, 900),
        rows,
        [ours, theirs].map((key) => ({ title: variant(key).title, colour: colourOf(key) })),
      );
    },
  },
  calibration: {
    most: 12,
    series: seriesOf,
    draw(into, width, figure, view) {
      const rows = rowsBy(figure);
      const boxes = panels(view.shown.length, width, 290, { least: 210 });
      const most = Math.max(...figure.rows.map((row) => row.share));
      view.shown.forEach((one, place) =>
        reliability(into, boxes[place], { ...one, rows: rows.get(one.key) }, most),
      );
      return lowest(boxes);
    },
  },
};

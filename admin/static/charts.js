// Draws each figure from its table, so that picture and table cannot differ; a click opens the rows behind a number.
"use strict";

// Told apart by darkness as well as by colour.
const COLOURS = ["#12355b", "#2f7fc1", "#8fbfe3", "#c98700", "#7a3e9d", "#b3261e", "#5d6b7a", "#146c3c", "#b9c2cc"];

function read(table) {
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  return {
    places: rows.map((row) => row.cells[0].textContent.trim()),
    series: names.map((name, i) => ({
      name,
      cells: rows.map((row) => row.cells[i + 1]),
    })),
  };
}

function draw(box) {
  const { places, series } = read(document.getElementById(box.dataset.of));
  const used = series.filter((each) => each.cells.some((cell) => Number(cell.textContent) > 0));
  const stacked = box.dataset.chart === "stack";
  const lying = box.dataset.chart !== "bar";
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const text = { fontSize: size * 0.85, color: "#39424f" };
  const labels = { type: "category", data: places, inverse: lying, axisLabel: { ...text, interval: lying ? 0 : "auto" }, axisTick: { show: false } };
  const values = { type: "value", minInterval: 1, axisLabel: { ...text, hideOverlap: true } };
  const shown = used.length ? used : series.slice(0, 1);
  // Every colour is named: as many lines as the names need, none of them behind an arrow.
  const wanted = shown.reduce((sum, each) => sum + (each.name.length * 0.85 + 3) * size, 0);
  const lines = Math.ceil((wanted * 1.1) / box.clientWidth);
  const chart = echarts.init(box, null, { renderer: "canvas" });
  chart.setOption({
    color: COLOURS,
    animation: false,
    // Drawn on the canvas: a tooltip of HTML would carry inline styles, which the page forbids.
    tooltip: { trigger: "item", renderMode: "richText", formatter: (of) => `${of.name}  ${of.seriesName}  ${of.value} ${box.dataset.unit}` },
    legend: { top: 0, left: 0, textStyle: text },
    grid: { left: 4, right: 18, top: size * (0.9 + 1.5 * lines), bottom: 4, containLabel: true },
    xAxis: lying ? values : labels,
    yAxis: lying ? labels : values,
    series: shown.map((each) => ({
      name: each.name,
      type: "bar",
      stack: stacked ? "all" : undefined,
      barMaxWidth: size * 1.6,
      data: each.cells.map((cell) => ({ value: Number(cell.textContent), address: cell.querySelector("a")?.href })),
    })),
  });
  chart.on("click", (point) => point.data.address && window.location.assign(point.data.address));
  new ResizeObserver(() => chart.resize()).observe(box);
}

document.querySelectorAll("[data-chart]").forEach(draw);

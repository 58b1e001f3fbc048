// Draws what a customer pays against usage: straight lines between exact points, steps as steps.
(() => {
  "use strict";

  const style = () => getComputedStyle(document.documentElement);
  const colour = (name) => style().getPropertyValue(`--${name}`).trim();
  const locale = document.documentElement.dataset.locale || "en-US";
  const compactly = { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 2 };
  const exactly = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const compact = new Intl.NumberFormat(locale, compactly);
  const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });

  // The page's own style for English readers, theirs for all others: a sign in front or behind.
  function money(drawn, value, digits) {
    if (locale.startsWith("en")) return drawn.prefix + new Intl.NumberFormat(locale, digits).format(value);
    return new Intl.NumberFormat(locale, { style: "currency", currency: drawn.currency, ...digits }).format(value);
  }

  function draw(plot) {
    const drawn = JSON.parse(document.getElementById(plot.dataset.curve).textContent);
    const canvas = plot.querySelector("canvas");
    const text = { color: colour("muted"), font: { size: 11, family: style().getPropertyValue("--font") } };
    Chart.getChart(canvas)?.destroy();
    new Chart(canvas, {
      type: "line",
      data: {
        datasets: drawn.series.map((series, i) => ({
          label: series.name,
          data: series.points.map(([x, y]) => ({ x: Number(x), y: Number(y) })),
          borderColor: colour(`chart-${(i % 6) + 1}`),
          backgroundColor: colour(`chart-${(i % 6) + 1}`),
          borderWidth: 2,
          borderDash: [[], [6, 4], [2, 3]][Math.floor(i / 2) % 3],
          pointRadius: 0,
          pointHitRadius: 12,
          pointHoverRadius: 4,
          tension: 0,
        })),
      },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: {
            type: "linear",
            min: 0,
            max: Math.max(...drawn.series.map((series) => Number(series.points.at(-1)[0]))),
            title: { display: drawn.unit !== "", text: drawn.unit, ...text },
            border: { color: colour("line") },
            grid: { display: false },
            ticks: { ...text, maxTicksLimit: 8, maxRotation: 0, callback: (tick) => compact.format(tick) },
          },
          y: {
            beginAtZero: true,
            border: { display: false },
            grid: { color: colour("grid"), drawTicks: false },
            ticks: { ...text, maxTicksLimit: 6, padding: 6, callback: (tick) => money(drawn, tick, compactly) },
          },
        },
        plugins: {
          legend: { display: drawn.series.length > 1, position: "bottom", align: "start", labels: { ...text, boxWidth: 16, boxHeight: 1 } },
          tooltip: {
            backgroundColor: colour("ink"),
            titleColor: colour("surface"),
            bodyColor: colour("surface"),
            padding: 9,
            callbacks: {
              title: (items) => (items.length ? `${plain.format(items[0].parsed.x)} ${drawn.unit}` : ""),
              label: (item) => ` ${item.dataset.label}: ${money(drawn, item.parsed.y, exactly)}`,
            },
          },
        },
      },
    });
    plot.dataset.drawn = String(drawn.series.length);
  }

  function drawAll() {
    if (typeof Chart !== "undefined") document.querySelectorAll("[data-curve]").forEach(draw);
  }

  drawAll();
  document.addEventListener("htmx:afterSettle", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();

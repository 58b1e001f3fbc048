// Draws the charts that the page describes as JSON, and what needs a script besides.
(() => {
  "use strict";

  const style = () => getComputedStyle(document.documentElement);
  const colour = (name) => style().getPropertyValue(`--${name}`).trim();

  const locale = document.documentElement.dataset.locale || "en-US";
  const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
  const small = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });

  function axisNumber(value) {
    return Math.abs(value) >= 1000 ? compact.format(value) : small.format(value);
  }

  function exactNumber(value) {
    const size = Math.abs(value);
    const digits = size !== 0 && size < 0.01 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 };
    return new Intl.NumberFormat(locale, digits).format(value);
  }

  function money(drawn, value) {
    if (!drawn.prefix) return exactNumber(value);
    const size = Math.abs(value);
    const digits = size !== 0 && size < 0.01
      ? { maximumSignificantDigits: 2 }
      : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    return signed(drawn, value, digits);
  }

  // The page's own style for English readers, theirs for all others: a sign in front or behind.
  function signed(drawn, value, digits) {
    if (!locale.startsWith("en")) {
      return new Intl.NumberFormat(locale, { style: "currency", currency: drawn.currency, ...digits }).format(value);
    }
    const number = new Intl.NumberFormat(locale, digits).format(Math.abs(value));
    return (value < 0 ? "\u2212" : "") + drawn.prefix + number;
  }

  function axisTick(drawn, value) {
    if (!drawn.prefix) return axisNumber(value);
    const digits = Math.abs(value) >= 1000 ? { notation: "compact", maximumFractionDigits: 1 } : { maximumSignificantDigits: 3 };
    return signed(drawn, value, { minimumFractionDigits: 0, ...digits });
  }

  function options(drawn) {
    const value = drawn.horizontal ? "x" : "y";
    const label = drawn.horizontal ? "y" : "x";
    const text = { color: colour("muted"), font: { size: 11, family: style().getPropertyValue("--font") } };
    return {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      indexAxis: drawn.horizontal ? "y" : "x",
      interaction: { mode: "index", axis: label, intersect: false },
      scales: {
        [value]: {
          stacked: drawn.stacked,
          beginAtZero: true,
          border: { display: false },
          grid: { color: colour("grid"), drawTicks: false },
          ticks: { ...text, maxTicksLimit: 5, padding: 6, callback: (tick) => axisTick(drawn, tick) },
        },
        [label]: {
          stacked: drawn.stacked,
          border: { color: colour("line") },
          grid: { display: false },
          ticks: { ...text, autoSkip: !drawn.horizontal, maxRotation: 0, autoSkipPadding: 14, callback: shortLabel },
        },
      },
      plugins: {
        legend: {
          display: drawn.series.length > 1,
          position: "bottom",
          align: "start",
          labels: { ...text, boxWidth: 9, boxHeight: 9, padding: 12, useBorderRadius: true, borderRadius: 2 },
        },
        tooltip: {
          backgroundColor: colour("ink"),
          titleColor: colour("surface"),
          bodyColor: colour("surface"),
          footerColor: colour("surface"),
          padding: 9,
          cornerRadius: 6,
          boxPadding: 4,
          bodyFont: { size: 12, family: text.font.family },
          titleFont: { size: 12, family: text.font.family },
          filter: (item) => item.raw !== 0 || drawn.series.length === 1,
          callbacks: {
            label: (item) => ` ${item.dataset.label}: ${money(drawn, item.raw)}${unit(drawn)}`,
          },
        },
      },
    };
  }

  function unit(drawn) {
    return drawn.prefix || !drawn.unit ? "" : ` ${drawn.unit}`;
  }

  function shortLabel(index) {
    const label = this.getLabelForValue(index);
    return label.length > 18 ? `${label.slice(0, 17)}\u2026` : label;
  }

  function draw(figure) {
    const drawn = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    const canvas = figure.querySelector("canvas");
    Chart.getChart(canvas)?.destroy();
    new Chart(canvas, {
      type: "bar",
      data: {
        labels: drawn.labels,
        datasets: drawn.series.map((series, i) => ({
          label: series.name,
          data: series.values.map(Number),
          backgroundColor: colour(`chart-${(i % 6) + 1}`),
          borderRadius: drawn.stacked ? 0 : 2,
          maxBarThickness: drawn.horizontal ? 14 : 34,
          categoryPercentage: drawn.stacked ? 0.82 : 0.76,
          barPercentage: drawn.stacked ? 1 : 0.9,
        })),
      },
      options: options(drawn),
    });
  }

  function drawAll() {
    if (typeof Chart === "undefined") return;
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  // What came later: charts that are not drawn yet.
  function drawNew() {
    if (typeof Chart === "undefined") return;
    document.querySelectorAll("[data-chart]").forEach((figure) => {
      if (!Chart.getChart(figure.querySelector("canvas"))) draw(figure);
    });
  }

  drawAll();
  document.addEventListener("htmx:afterSettle", drawNew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  // What the page asks for by itself and does not get is said, until it is there.
  const missing = new Set();
  function tell(said) {
    let line = document.getElementById("not-loaded");
    if (!missing.size) line?.remove();
    if (!missing.size || !said) return;
    if (!line) {
      line = document.createElement("p");
      line.id = "not-loaded";
      line.className = "message bad";
      line.setAttribute("role", "alert");
      document.getElementById("content")?.prepend(line);
    }
    line.textContent = said;
  }
  document.addEventListener("htmx:sendError", (event) => {
    missing.add(event.detail.elt);
    tell("The server does not answer. What is shown may be out of date.");
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status < 500) return;
    missing.add(event.detail.elt);
    tell("A part of this page could not be loaded. Reload it, or follow the part's link.");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status < 400 && missing.delete(event.detail.requestConfig.elt)) tell();
  });

  // Fields that make sense with some choices only.
  document.querySelectorAll("[data-shown-where]").forEach((field) => {
    const choice = field.closest("form").elements[field.dataset.shownWhere];
    const show = () => {
      field.hidden = !field.dataset.is.split(" ").includes(choice.value);
      field.querySelectorAll("input, select, textarea").forEach((one) => { one.disabled = field.hidden; });
    };
    choice.addEventListener("change", show);
    show();
  });

  // The navigation of narrow screens.
  const menuButton = document.querySelector("[data-menu-button]");
  const openMenu = (open) => menuButton?.setAttribute("aria-expanded", String(open));
  menuButton?.addEventListener("click", () => openMenu(menuButton.getAttribute("aria-expanded") !== "true"));
  menuButton?.closest(".side").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menuButton.getAttribute("aria-expanded") !== "true") return;
    openMenu(false);
    menuButton.focus();
  });

  // A link to a line of an invoice opens it.
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
})();

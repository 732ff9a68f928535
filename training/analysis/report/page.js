// Draws every chart of the page; `ast` interprets expressions, so that the page may forbid itself to make code from text.
const specs = JSON.parse(document.getElementById("specs").textContent);
const options = {mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: {theme: "custom"}};
Promise.all([...document.querySelectorAll("[data-chart]")].map((place) =>
  vegaEmbed(place, specs[Number(place.dataset.chart)], options)
)).then(() => { document.documentElement.dataset.drawn = "yes"; });

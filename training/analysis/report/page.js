// Typesets LaTeX and draws every chart of the page; `ast` interprets expressions, so that the page may forbid itself to make code from text.
const math = {delimiters: [{left: "\\(", right: "\\)", display: false}, {left: "\\[", right: "\\]", display: true}],
  output: "mathml", throwOnError: false, trust: false, strict: "ignore", maxExpand: 100, maxSize: 20};
const typeset = (place) => renderMathInElement(place, math);  // what is no LaTeX stays as it is written
for (const place of document.querySelectorAll(".row .text, bdi, tbody")) typeset(place);
const specs = JSON.parse(document.getElementById("specs").textContent);
const options = {mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: {theme: "custom"}};
Promise.all([...document.querySelectorAll("[data-chart]")].map((place) =>
  vegaEmbed(place, specs[Number(place.dataset.chart)], options)
)).then(() => { document.documentElement.dataset.drawn = "yes"; });

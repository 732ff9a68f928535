
// Filters the rows of the page. Texts go into it as text only, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const form = document.querySelector(".filters"), AT_ONCE = 20;
const element = (tag, text, kind) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const place = (rank) => rank === null ? "not among the candidates" : `rank ${rank}`;
const effect = (before, after) => {
  const [from, to] = [before ?? Infinity, after ?? Infinity];
  return to < from ? "better" : to > from ? "worse" : "as before";
};
const textOf = ([id, question, wrong, answer, , , , shown]) => {
  const first = shown.length ? data.misconceptions[shown[0][0]] : "";
  return [id, ...data.questions[question], wrong, data.misconceptions[answer], first].join("\n").toLowerCase();
};
const matches = (row, text, wanted) => {
  const [, question, , , seen, before, after] = row;
  const [low, high] = (wanted.rank || "1-").split("-").map((end) => end ? Number(end) : Infinity);
  const rank = after ?? Infinity;
  return wanted.words.toLowerCase().split(/\s+/).every((word) => text.includes(word))
    && (!wanted.subject || data.questions[question][0] === wanted.subject)
    && (!wanted.seen || (wanted.seen === "seen") === seen)
    && low <= rank && rank <= high
    && (!wanted.moved || effect(before, after) === wanted.moved);
};
const facts = (row) => {
  const [, question, wrong, answer, seen, before, after] = row, [, , , correct] = data.questions[question];
  const list = element("dl", undefined, "answers");
  for (const [name, value] of [["right answer", correct], ["chosen answer", wrong],
    [data.entry, `${data.misconceptions[answer]} (${seen ? "seen" : "unseen"})`],
    ["retrieved", place(before)], ["reranked", place(after)]]) {
    if (value) list.append(element("dt", name), element("dd", value, name === data.entry ? "right" : ""));
  }
  return list;
};
const describe = (row) => {
  const [id, question, , answer, , , after, shown] = row;
  const [subject, construct, asked] = data.questions[question];
  const details = element("details", undefined, "row"), summary = element("summary"), inside = element("div", undefined, "text");
  summary.append(element("span", id, "id"), " ", element("span", place(after), "place"), " ", element("span", construct, "text"));
  inside.append(element("p", subject, "caption"), element("p", asked, "question"), facts(row));
  const list = element("ol");
  for (const [candidate, share] of shown) {
    const item = element("li", undefined, candidate === answer ? "right" : "");
    item.append(element("span", share.toFixed(2), "probability"), " ", element("bdi", data.misconceptions[candidate]));
    list.append(item);
  }
  inside.append(shown.length ? list : element("p", "None of its candidates was reranked.", "missing"));
  details.append(summary, inside);
  details.addEventListener("toggle", () => typeset(inside), {once: true});
  return details;
};
if (form) {
  const texts = data.rows.map(textOf), found = document.getElementById("found"), more = document.getElementById("more");
  let rest = [];
  const show = () => {
    found.append(...rest.splice(0, AT_ONCE).map(describe));
    more.hidden = !rest.length;
  };
  const filter = () => {
    const wanted = Object.fromEntries(new FormData(form));
    rest = data.rows.filter((row, number) => matches(row, texts[number], wanted));
    document.getElementById("count").textContent = `${rest.length} of ${data.rows.length} rows`;
    found.replaceChildren();
    show();
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", show);
  filter();
}

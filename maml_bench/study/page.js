"use strict";
const { columns, rows } = JSON.parse(document.getElementById("data").textContent);
const at = Object.fromEntries(columns.map((name, i) => [name, i]));
const filtered = ["claim", "form", "family", "evidence", "outcome", "study"];
const shown = ["study", "claim", "form", "problem", "where", "outcome", "evidence", "value", "lower", "upper", "bound", "ratio", "replicates", "key"];
const size = 50;
let sorted = null, down = false, first = 0, found = rows;

const form = document.getElementById("filters");
for (const name of filtered) {
  const values = [...new Set(rows.map((row) => row[at[name]]))].filter((x) => x !== null && x !== "").sort();
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.name = name;
  select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  label.append(name, document.createElement("br"), select);
  form.append(label);
}
const label = document.createElement("label");
const search = document.createElement("input");
search.type = "search";
search.name = "search";
label.append("search", document.createElement("br"), search);
form.append(label);

const head = document.createElement("tr");
for (const name of shown) {
  const cell = document.createElement("th");
  const button = document.createElement("button");
  cell.scope = "col";
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => {
    down = sorted === name && !down;
    sorted = name;
    for (const other of head.children) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    update();
  });
  cell.append(button);
  head.append(cell);
}
document.querySelector("#explorer thead").append(head);

function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)).toString() : String(value);
}

function update(keep) {
  if (!keep) first = 0;
  const wanted = filtered.map((name) => [at[name], form.elements[name].value]).filter(([, value]) => value);
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = rows.filter(
    (row) =>
      wanted.every(([i, value]) => row[i] === value) &&
      (!words.length || words.every((word) => row.some((cell) => text(cell).toLowerCase().includes(word))))
  );
  if (sorted !== null) {
    const i = at[sorted];
    found.sort((a, b) => {
      if (a[i] === null || b[i] === null) return (a[i] === null) - (b[i] === null);
      const order = a[i] < b[i] ? -1 : a[i] > b[i] ? 1 : 0;
      return down ? -order : order;
    });
  }
  const body = document.querySelector("#explorer tbody");
  body.replaceChildren(
    ...found.slice(first, first + size).map((row) => {
      const line = document.createElement("tr");
      for (const name of shown) line.insertCell().textContent = text(row[at[name]]);
      return line;
    })
  );
  const last = Math.min(first + size, found.length);
  document.getElementById("count").textContent = `${found.length} of ${rows.length} findings`;
  document.getElementById("page").textContent = found.length ? `${first + 1} to ${last}` : "none";
  document.getElementById("back").disabled = first === 0;
  document.getElementById("next").disabled = last === found.length;
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function csv() {
  const quoted = (cell) => {
    const word = cell === null ? "" : String(cell);
    return /[",\n]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word;
  };
  return [columns, ...found].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

form.addEventListener("input", () => update());
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("back").addEventListener("click", () => { first = Math.max(0, first - size); update(true); });
document.getElementById("next").addEventListener("click", () => { first += size; update(true); });
document.getElementById("csv").addEventListener("click", () => save("findings.csv", "text/csv", csv()));
document.getElementById("json").addEventListener("click", () =>
  save("findings.json", "application/json", JSON.stringify(found.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]]))), null, 1))
);
for (const link of document.querySelectorAll("a.filter")) {
  link.addEventListener("click", () => {
    for (const name of filtered) form.elements[name].value = "";
    search.value = "";
    form.elements.claim.value = link.dataset.claim;
    update();
  });
}
update();

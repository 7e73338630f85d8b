"use strict";
const { columns: stored, options } = JSON.parse(document.getElementById("data").textContent);
const columns = Object.keys(stored);
const at = Object.fromEntries(columns.map((name, i) => [name, i]));
const cells = columns.map((name) => (stored[name].values ? stored[name].at.map((i) => stored[name].values[i]) : stored[name].at));
const rows = cells[0].map((_, i) => cells.map((column) => column[i]));
const filtered = ["claim", "form", "family", "evidence", "outcome", "study"];
const shown = ["claim", "form", "problem", "where", "outcome", "evidence", "ratio", "value", "lower", "upper", "bound", "replicates", "study"];
const size = matchMedia("(max-width: 640px)").matches ? 15 : 50;
let sorted = null, down = false, first = 0, found = rows;

const form = document.getElementById("filters");
for (const name of filtered) {
  const values = [...new Set(cells[at[name]])].filter((x) => x !== null).sort();
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

/** Make a header sort: `sort(column, down)` is called when it is pressed. */
function sortable(cell, sort) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...cell.childNodes);
  button.addEventListener("click", () => {
    const falling = cell.getAttribute("aria-sort") === "ascending";
    for (const other of cell.parentNode.children) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
    sort(cell.cellIndex, falling);
  });
  cell.append(button);
}

/** Numbers by size, then words by letter, what is missing last. */
function order(a, b, falling) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  const sign = a < b ? -1 : a > b ? 1 : 0;
  return falling ? -sign : sign;
}

function read(cell) {
  const word = cell.textContent.trim();
  const number = parseFloat(word.replace(/^[<>×] ?/, ""));
  return word === "–" || word === "·" || word === "" ? null : Number.isNaN(number) ? word : number;
}

const head = document.createElement("tr");
for (const name of [...shown, "command"]) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.textContent = name;
  head.append(cell);
  if (name !== "command") sortable(cell, (_, falling) => { sorted = name; down = falling; update(); });
}
document.querySelector("#explorer thead").append(head);
for (const table of document.querySelectorAll("main table:not(#explorer)")) {
  for (const cell of table.tHead.rows[0].cells)
    sortable(cell, (i, falling) => {
      const lines = [...table.tBodies[0].rows].sort((a, b) => order(read(a.cells[i]), read(b.cells[i]), falling));
      table.tBodies[0].append(...lines);
    });
}

function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)).toString() : String(value);
}

let searched = null;

/** Whether all words stand somewhere in the row. */
function says(row, words) {
  searched ??= new Map(rows.map((row) => [row, row.map(text).join("\n").toLowerCase()]));
  return words.every((word) => searched.get(row).includes(word));
}

function update(keep) {
  if (!keep) first = 0;
  const wanted = filtered.map((name) => [at[name], form.elements[name].value]).filter(([, value]) => value);
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = rows.filter((row) => wanted.every(([i, value]) => row[i] === value) && (!words.length || says(row, words)));
  if (sorted !== null) found.sort((a, b) => order(a[at[sorted]], b[at[sorted]], down));
  document.querySelector("#explorer tbody").replaceChildren(
    ...found.slice(first, first + size).map((row) => {
      const line = document.createElement("tr");
      for (const name of shown) {
        const cell = line.insertCell();
        cell.textContent = text(row[at[name]] ?? (name === "claim" ? row[at.quantity] : null));
        cell.dataset.label = name;
      }
      const code = document.createElement("code");
      code.textContent = `maml-bench study ${row[at.study]} --row ${row[at.key]}${options[row[at.study]]}`;
      line.insertCell().append(code);
      line.lastChild.dataset.label = "command";
      return line;
    })
  );
  const last = Math.min(first + size, found.length);
  document.getElementById("count").textContent = `${found.length} of ${rows.length} findings`;
  document.getElementById("page").textContent = found.length ? `${first + 1} to ${last}` : "none";
  document.getElementById("back").disabled = first === 0;
  document.getElementById("next").disabled = last === found.length;
}

function choose(wanted) {
  for (const name of [...filtered, "search"]) form.elements[name].value = wanted[name] ?? "";
  update();
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

/** What is linked to is seen, even where it is folded away. */
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details:not([open])");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
}

form.addEventListener("input", () => update());
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("all").addEventListener("click", () => choose({}));
document.getElementById("back").addEventListener("click", () => { first = Math.max(0, first - size); update(true); });
document.getElementById("next").addEventListener("click", () => { first += size; update(true); });
document.getElementById("csv").addEventListener("click", () => save("findings.csv", "text/csv", csv()));
document.getElementById("json").addEventListener("click", () =>
  save("findings.json", "application/json", JSON.stringify(found.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]]))), null, 1))
);
for (const link of document.querySelectorAll("a.filter")) link.addEventListener("click", () => choose(link.dataset));
addEventListener("hashchange", unfold);
update();
unfold();

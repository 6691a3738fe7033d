"use strict";
// Hides what does not match: every word typed must occur in a row, its table's name or its table's meaning.
const box = document.getElementById("search");
const kind = document.getElementById("phi");
const told = document.getElementById("told");
const tables = [...document.querySelectorAll(".table")].map((element) => ({
  element,
  head: element.querySelector("summary").textContent.toLowerCase(),
  rows: [...element.querySelectorAll("tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase(), phi: row.dataset.phi || "" })),
}));

function find() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const phi = kind.value;
  let rows = 0;
  let shown = 0;
  for (const table of tables) {
    const left = words.filter((word) => !table.head.includes(word));
    let hits = 0;
    for (const { row, text, phi: mine } of table.rows) {
      const fits = left.every((word) => text.includes(word)) && (!phi || (phi === "*" ? mine !== "" : mine === phi));
      row.hidden = !fits;
      hits += fits;
    }
    for (const part of table.element.querySelectorAll(".wide")) part.hidden = !part.querySelector("tbody tr:not([hidden])");
    const whole = words.length > 0 && left.length === 0;
    table.element.hidden = hits === 0 && !(whole && !phi);
    table.element.open = (words.length > 0 || phi !== "") && hits > 0 && !(whole && !phi);
    shown += !table.element.hidden;
    rows += hits;
  }
  for (const layer of document.querySelectorAll(".layer")) layer.hidden = !layer.querySelector(".table:not([hidden])");
  document.getElementById("nothing").hidden = shown > 0;
  told.textContent = words.length || phi ? `${shown} ${shown === 1 ? "table" : "tables"}, ${rows} columns and rules` : "";
}

function arrive() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const table = target && target.closest(".table");
  if (!table) return;
  table.open = true;
  target.scrollIntoView({ block: "center" });
}

box.addEventListener("input", find);
kind.addEventListener("change", find);
document.getElementById("find").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.value = "";
    find();
  }
});
addEventListener("hashchange", arrive);
arrive();

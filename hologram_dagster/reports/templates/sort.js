"use strict";
// Headings become buttons that sort by their column: up, down, and as it was. Without it the page lacks nothing else.
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

const textOf = cell => cell.querySelector("time")?.dateTime ?? cell.textContent.trim();

// Of "1,234.5 ms", "x1.482" and "10 %, 5 %" the number they begin with.
const numberOf = text => {
  const found = /^x?(-?[\d,]*\.?\d+(?:e[+-]?\d+)?)/i.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) : text;
};

const compare = (one, other) =>
  typeof one === "number" && typeof other === "number"
    ? one - other
    : String(one).localeCompare(String(other), "en", { numeric: true });

const sorted = (rows, column, numeric, sign) => {
  const keyed = rows.map(row => {
    const text = textOf(row.cells[column]);
    return { row, empty: text === "", key: numeric ? numberOf(text) : text };
  });
  // What has no value stays last.
  keyed.sort((one, other) => one.empty - other.empty || sign * compare(one.key, other.key));
  return keyed.map(each => each.row);
};

for (const table of document.querySelectorAll("main table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  if (rows.length < 2 || body.querySelector("th")) continue;
  headings.forEach((heading, column) => {
    if (rows.every(row => textOf(row.cells[column]) === "")) return;
    const numeric = heading.className === "number" || rows.some(row => row.cells[column].querySelector(".share"));
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => {
      const order = NEXT[heading.ariaSort];
      for (const other of headings) if (other.ariaSort) other.ariaSort = "none";
      heading.ariaSort = order;
      body.append(...(order === "none" ? rows : sorted(rows, column, numeric, order === "ascending" ? 1 : -1)));
    });
    heading.replaceChildren(button);
    heading.ariaSort = "none";
  });
}

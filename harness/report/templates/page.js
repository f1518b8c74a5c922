"use strict";
(() => {
  const tip = document.getElementById("tip");
  const read = (kind, key) => JSON.parse(document.querySelector(`script[data-${kind}="${key}"]`).textContent);

  // Rows of CSV as lists of cells; cells may be quoted.
  const parse = (text) => text.trimEnd().split(/\r?\n/).map((line) =>
    [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((cell) =>
      cell[1] === undefined ? cell[2] : cell[1].replaceAll('""', '"')));
  const hovers = (key) => {
    const [names, ...rows] = parse(read("csv", key));
    const shown = read("shown", key).map((name) => names.indexOf(name));
    return rows.map((row) => shown.filter((at) => row[at] !== "").map((at) => `${names[at]}: ${row[at]}`));
  };

  const show = (lines, x, y) => {
    tip.textContent = lines.join("\n");
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18}px`;
  };
  const hide = () => { tip.hidden = true; };

  for (const figure of document.querySelectorAll("figure")) {
    const hover = hovers(figure.id);
    for (const group of figure.querySelectorAll("[data-rows]")) {
      // The n-th mark of a line shows the n-th of its rows.
      const marks = group.querySelectorAll("use");
      const shapes = marks.length ? [...marks] : [group];
      group.dataset.rows.split("-").forEach((row, place) => {
        const shape = shapes[place];
        if (!shape || !hover[row]) return;
        shape.dataset.row = row;
        shape.addEventListener("pointerenter", (event) => show(hover[row], event.clientX, event.clientY));
        shape.addEventListener("pointerdown", (event) => show(hover[row], event.clientX, event.clientY));
        shape.addEventListener("pointerleave", hide);
      });
    }
  }
  addEventListener("scroll", hide, { passive: true });

  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  for (const button of document.querySelectorAll("button[data-save]")) {
    button.addEventListener("click", () => {
      const key = button.dataset.of;
      if (button.dataset.save === "csv") {
        save(`${key}.csv`, "text/csv", read("csv", key));
      } else {
        const svg = document.querySelector(`#${CSS.escape(key)} svg`);
        save(`${key}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(svg));
      }
    });
  }
})();

// The shelf: kernels that the filters leave out are hidden.

import { byId } from "./format.js";

const cards = [...byId("shelf").children].map((card) => ({
  card,
  topic: card.dataset.topic,
  text: card.textContent.toLowerCase(),
}));

function filter() {
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const topic = byId("topic").value;
  let shown = 0;
  for (const { card, topic: own, text } of cards) {
    const fits = (!topic || own === topic) && words.every((word) => text.includes(word));
    card.hidden = !fits;
    shown += fits;
  }
  byId("count").textContent = `${shown} of ${cards.length} kernels`;
}

byId("filters").addEventListener("input", filter);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
filter(); // the browser may have kept what was typed

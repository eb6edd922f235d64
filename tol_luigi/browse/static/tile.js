// One tile of the grid: the image, or why there is none; and what it is.

import { imageAddress, imageFault } from "./api.js";
import { commonName, element, scientificName, stateName, visible } from "./text.js";

/** Fill a tile with a row of a dataset; `others` is the name of the dataset that it is compared with, if any. */
export function fillTile(tile, record, dataset, others) {
  const name = scientificName(record);
  const common = commonName(record);
  const isWritten = record.state === "written";
  tile.classList.add(isWritten ? "written" : "rejected");
  const labels = [name, common, isWritten ? record.split : stateName(record.state)];
  tile.append(
    isWritten ? picture(record, dataset, labels) : reason(record),
    element(
      "div",
      { class: "caption" },
      element("bdi", { class: "name" }, name),
      element("bdi", { class: "common" }, common || record.file || record.id),
    ),
  );
  if (isWritten && others !== undefined && record.other !== "written") {
    const only = record.other ? `${stateName(record.other)} in ${others}` : `not in ${others}`;
    labels.push(only);
    tile.classList.add("alone");
    tile.append(element("span", { class: "badge" }, only));
  }
  tile.setAttribute("aria-label", visible(labels.filter(Boolean).join(", ")));
}

function picture(record, dataset, labels) {
  const source = imageAddress(dataset, record.row);
  const image = element("img", { alt: labels.filter(Boolean).join(", "), decoding: "async", draggable: "false" });
  image.addEventListener("error", () => explain(image, source), { once: true });
  image.src = source;
  return image;
}

/** Show in place of an image why it cannot be shown. */
export async function explain(image, source) {
  const { brief, full } = await imageFault(source);
  image.replaceWith(element("div", { class: "reason fault", title: full }, element("strong", {}, "no image"), brief));
}

function reason(record) {
  const title = `${stateName(record.state)}: ${record.reason}`;
  return element("div", { class: "reason", title }, element("strong", {}, stateName(record.state)), record.reason);
}

// The life of an image: where it comes from, how it got its name and its split, and where its sample is.

import { get, imageAddress } from "./api.js";
import { link } from "./facets.js";
import { explain } from "./tile.js";
import { RANKS, commonName, count, element, scientificName, stateName, visible } from "./text.js";

const LABELS = [
  ["Identity", ["id", "id from", "key", "source", "file", "size"]],
  ["Split", ["split", "split from"]],
  ["Name", [...RANKS, "common name", "name from"]],
  ["State", ["state", "reason", "exclusion"]],
  ["Sample", ["shard", "position", "original", "flags", "duplicate of", "sha256"]],
];

/** Return the fields of a life as texts, by label. */
function fields(life) {
  const { record, trace, row } = life;
  const found = {
    id: record.id, source: record.source, split: record.split, state: stateName(record.state),
    reason: record.reason, file: record.file, "common name": commonName(record),
    ...Object.fromEntries(RANKS.map((rank) => [rank, record[rank]])),
  };
  if (trace) {
    Object.assign(found, {
      source: [trace.source, trace.place, trace.partition && `partition ${trace.partition}`].filter(Boolean).join(", "),
      file: trace.member,
      size: trace.bytes === null ? "" : `${count(trace.bytes)} bytes`,
      key: Object.entries(trace.key).map(([name, part]) => `${name} ${part}`).join(", "),
      "id from": trace.id_from,
      split: trace.split + (trace.is_train_small ? ", repeated in train_small" : ""),
      "split from": trace.split && trace.split_from,
      "name from": trace.names_from.join("\n"),
      reason: trace.reason, exclusion: trace.exclusion,
      shard: trace.shards.map((shard) => shard.path + (shard.is_there ? "" : " (missing)")).join("\n"),
      position: trace.shards.map((shard) => `${count(shard.position)}, at byte ${count(shard.offset)}`).join("\n"),
      original: trace.original.width
        ? `${count(trace.original.width)} × ${count(trace.original.height)} pixels, ${trace.original.format}, ${trace.original.mode}`
        : "",
      flags: trace.flags.join(", "),
      sha256: trace.original.sha256,
    });
    for (const [family, columns] of Object.entries(trace.features)) {
      for (const [name, value] of Object.entries(columns)) {
        if (value !== null) found[`${family} ${name}`] = String(value);
      }
    }
  }
  if (row?.duplicate_of) found["duplicate of"] = row.duplicate_of;
  return found;
}

function cells(label, lives) {
  return lives.map((life) => (life.record ? fields(life)[label] ?? "" : ""));
}

function tableRow(label, values, isCompared) {
  const differs = isCompared && new Set(values).size > 1;
  const head = element("th", { scope: "row" }, label);
  if (differs) head.append(element("span", { class: "differs", title: "different" }, " ≠"));
  return element("tr", differs ? { class: "different" } : {}, head,
    ...values.map((value) => element("td", {}, ...lines(String(value ?? "")))));
}

/** Return the lines of a text; long words may break. */
function lines(text) {
  return text.split("\n").map((line) => element("div", {}, element("bdi", {}, line)));
}

function table(lives, datasets) {
  const isCompared = lives.length > 1 && lives.every((life) => life.record);
  const body = [];
  const known = new Set(LABELS.flatMap(([, labels]) => labels));
  const further = [...new Set(lives.flatMap((life) => (life.record ? Object.keys(fields(life)) : [])))]
    .filter((label) => !known.has(label));
  for (const [title, labels] of [...LABELS, ["Features", further]]) {
    const rows = labels.map((label) => [label, cells(label, lives)]).filter(([, values]) => values.some(Boolean));
    if (rows.length) {
      body.push(element("tbody", {},
        element("tr", {}, element("th", { class: "group", colspan: lives.length + 1, scope: "rowgroup" }, title)),
        ...rows.map(([label, values]) => tableRow(label, values, isCompared))));
    }
  }
  const head = lives.length > 1
    ? [element("thead", {}, element("tr", {}, element("td", {}), ...datasets.map((each) => element("th", { scope: "col" }, each.name))))]
    : [];
  return element("table", { class: "life" }, columnWidths(), ...head, ...body);
}

/** Return the narrow first column of a table; the others share the rest. */
function columnWidths() {
  return element("colgroup", {}, element("col", { class: "label" }));
}

function plainTable(rows) {
  return element("table", { class: "life" }, columnWidths(), element("tbody", {}, ...rows));
}

function picture(life, dataset) {
  if (!life.record) return element("div", { class: "reason" }, element("strong", {}, `not in ${dataset.name}`));
  const { record } = life;
  if (record.state !== "written") {
    return element("div", { class: "reason" }, element("strong", {}, stateName(record.state)), record.reason);
  }
  const source = imageAddress(dataset, record.row);
  const image = element("img", { alt: `${scientificName(record)}, in ${dataset.name}` });
  image.addEventListener("error", () => explain(image, source), { once: true });
  image.src = source;
  return image;
}

function lineage(record) {
  const known = RANKS.filter((rank) => record[rank]);
  const steps = known.map((rank, place) => {
    const ranks = Object.fromEntries(RANKS.map((each) => [each, null]));
    for (const each of RANKS.slice(0, RANKS.indexOf(rank) + 1)) ranks[each] = record[each];
    const changes = { ...ranks, q: "", life: "", at: "" };
    return element("li", {}, link(changes, { title: `${rank}: show its images`, "data-place": place }, element("bdi", {}, record[rank])));
  });
  return element("ol", { class: "lineage", "aria-label": "Taxon" }, ...steps);
}

function details(title, ...children) {
  return element("details", {}, element("summary", {}, title), ...children);
}

function texts(life, name) {
  if (!life.texts) return [];
  const rows = Object.entries(life.texts).map(([member, text]) => tableRow(member, [text], false));
  return [details(`Texts of the sample${name}`, plainTable(rows))];
}

function columns(life, name) {
  if (!life.row) return [];
  const rows = Object.entries(life.row).map(([column, value]) =>
    tableRow(column, [Array.isArray(value) ? value.join(", ") : value ?? ""], false));
  return [details(`Row of the catalog${name}`, plainTable(rows))];
}

const LICENSE = { name: "licence", owner: "owner", link: "text", source_url: "source", copy_url: "copy" };

/** Return a section that reads the licence when it is opened: the table of licences has no index. */
function license(life, dataset, name) {
  if (life.record.state !== "written") return [];
  const place = element("div");
  const section = details(`Licence and owner${name}`, place);
  section.addEventListener("toggle", async () => {
    place.textContent = "Reading …";
    try {
      const found = await get("license", { d: dataset.number, row: life.record.row });
      place.replaceChildren(found ? licenseTable(found) : "Its source publishes none.");
    } catch (error) {
      place.replaceChildren(element("p", { class: "fault" }, error.message));
    }
  }, { once: true });
  return [section];
}

function licenseTable(found) {
  const rows = Object.entries(LICENSE).filter(([field]) => found[field]).map(([field, label]) => {
    const row = tableRow(label, [found[field]], false);
    if (/^https?:\/\//i.test(found[field])) {
      const attributes = { href: found[field], target: "_blank", rel: "noopener noreferrer" };
      row.lastChild.replaceChildren(element("a", attributes, found[field]));
    }
    return row;
  });
  return plainTable(rows);
}

/** Return the content of the dialog, and its title. */
export async function describe(datasets, row, signal) {
  const [dataset, other] = datasets;
  const life = await get("life", { d: dataset.number, row }, signal);
  const lives = [life];
  if (other) {
    lives.push(life.record.id ? await get("life", { d: other.number, id: life.record.id }, signal) : { record: null, faults: [] });
  }
  const faults = lives.flatMap((each) => each.faults).map((fault) => element("p", { class: "fault" }, fault));
  const named = (each) => (lives.length > 1 ? ` in ${datasets[lives.indexOf(each)].name}` : "");
  const known = lives.filter((each) => each.record);
  const traces = known.filter((each) => each.text).map((each) =>
    details(`As text${named(each)} (tol why)`, element("pre", {}, ...[each.text].map((text) => document.createTextNode(
      text.split("\n").map(visible).join("\n"))))));
  return {
    title: scientificName(life.record),
    content: [
      element("div", { class: "pictures" }, ...lives.map((each, place) => picture(each, datasets[place]))),
      element("p", { class: "common" }, commonName(life.record)),
      lineage(life.record),
      ...faults,
      table(lives, datasets),
      ...known.flatMap((each) => [
        ...license(each, datasets[lives.indexOf(each)], named(each)),
        ...texts(each, named(each)),
        ...columns(each, named(each)),
      ]),
      ...traces,
    ],
  };
}

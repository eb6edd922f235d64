// Requests to the server. An error of it is one line of text.

/** Return the content of an answer, read as JSON. */
export async function get(path, fields = {}, signal = undefined) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  const answer = await fetch(`/api/${path}?${new URLSearchParams(entries)}`, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is tol browse still running?");
  });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

/** Return the address of the image of a row. */
export function imageAddress(dataset, row) {
  return `/image/${dataset.key}/${row}`;
}

/** Return why an image is not shown: in a few words, and in full. */
export async function imageFault(address) {
  try {
    const answer = await fetch(address);
    if (answer.ok) return { brief: "the image cannot be decoded", full: "The image cannot be decoded." };
    const [brief, ...full] = (await answer.text()).trim().split("\n");
    return { brief, full: full.join(" ") || brief };
  } catch {
    return { brief: "the server does not answer", full: "The server does not answer." };
  }
}

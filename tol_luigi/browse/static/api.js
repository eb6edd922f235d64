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
  return `/image/${dataset.key}/${row}.jpg`;
}

/** Return why an image is not shown, in one line. */
export async function imageFault(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? "The image cannot be decoded." : (await answer.text()).trim();
  } catch {
    return "The server does not answer.";
  }
}

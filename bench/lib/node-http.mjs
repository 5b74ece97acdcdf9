import http from "node:http";
import https from "node:https";

/** A GET of node:http or node:https with these options: the length of its chunks, joined at the end. */
export function collect({ get }, url, options) {
  return new Promise((resolve, reject) => {
    const request = get(url, options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).length));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

/** The same over the agent of a manager, which is made when the first request wants it. */
export function collectBy(manager) {
  let options;
  return (url) => {
    options ??= { agent: manager.agent };
    return collect(url.startsWith("https:") ? https : http, url, options);
  };
}

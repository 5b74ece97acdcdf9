/** A failure on the way to an HTTP proxy, as `ProxyError` (urllib3's "Unable to connect to proxy"). */

import { AddressBlockedError, ProxyError } from "../../core/errors.ts";
import type { Url } from "../../core/url.ts";

/** OpenSSL's words for an answer that is not TLS. */
const NOT_TLS =
  /wrong[ _]version[ _]number|unknown[ _]protocol|record[ _]layer[ _]failure|packet[ _]length[ _]too[ _]long/i;

/** Explains failures on the way to `proxy`. What `addressFilter` refused stays what it is: another try would not help. */
export function proxyFailure(proxy: Url): (error: Error) => Error {
  return (error) => {
    if (error instanceof AddressBlockedError || error instanceof ProxyError) return error;
    const hint =
      proxy.scheme === "https" && NOT_TLS.test(error.message)
        ? ". Your proxy appears to only use HTTP and not HTTPS, try changing your proxy URL to be HTTP"
        : "";
    const text = `Unable to connect to proxy${hint}: ${error.message}`;
    return new ProxyError(text, { cause: error, phase: "proxy" });
  };
}

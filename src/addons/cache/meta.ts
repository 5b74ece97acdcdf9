/** What a cache keeps of a response, and where. */

/** Name and value of each field line, in their order. */
export type FieldPairs = readonly (readonly [name: string, value: string])[];

/** What is kept of a response besides its body; plain JSON. */
export interface CacheMeta {
  readonly url: string;
  readonly status: number;
  readonly reason: string;
  /** 10, 11 or 20. */
  readonly version: number;
  readonly headers: FieldPairs;
  /** The request's values of the fields named in Vary. */
  readonly vary: Readonly<Record<string, string | null>>;
  /** When the request went out, in ms since the epoch. */
  readonly requestTime: number;
  /** When its answer, or a 304 about it, came. */
  readonly responseTime: number;
}

/** A stored response. */
export interface CacheEntry {
  readonly meta: CacheMeta;
  /** `null` if it was deleted in the meantime. */
  body(): Promise<Buffer | null>;
}

/** Where responses are kept. Several caches, of several processes too, may share one. */
export interface CacheStore {
  /** All variants of the response to a GET of `url`. */
  find(url: string): Promise<CacheEntry[]>;
  /** Stores a response in the place of the variant with the same `vary`. */
  put(meta: CacheMeta, body: Uint8Array): Promise<void>;
  /** Changes what is known of a variant that is there, and leaves its body. */
  update(meta: CacheMeta): Promise<void>;
  /** Deletes all variants. */
  delete(url: string): Promise<void>;
  /** Deletes everything. */
  clear(): Promise<void>;
}

/** The value of a field, its lines joined; `null` if absent. */
export function fieldOf(fields: FieldPairs, name: string): string | null {
  const values = fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(", ");
}

/** Names a variant: the values it was chosen by. */
export function variantKey(meta: CacheMeta): string {
  return JSON.stringify(Object.entries(meta.vary).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The public names of urlpool. */

export * from "./body/fields.ts";

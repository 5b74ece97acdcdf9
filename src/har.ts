/** The entry `urlpool/har`. */

export type {
  Har,
  HarContent,
  HarCookie,
  HarEntry,
  HarField,
  HarPostData,
  HarRequest,
  HarResponse,
  HarTimings,
} from "./addons/har/format.ts";
export { HarRecorder, type Recordable, type RecordOptions, recordHar } from "./addons/har/record.ts";

/** `npm run build`: `src/` to `dist/`, `cli/src/` to `cli/dist/`. */

import { build, buildCommand } from "./ensure.mjs";

build();
buildCommand();

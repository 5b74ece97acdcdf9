/** `npm run build`: `src/` to `dist/`. */

import { build } from "./ensure.mjs";

build();

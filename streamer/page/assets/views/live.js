/** All cameras side by side. */

import { h } from "../dom.js";

export function view(root) {
  root.append(h("h1", null, "Live"));
}

/** The login: name and password. */

import { request } from "../api.js";
import { field, h, setText } from "../dom.js";

/** @param {{done: Function}} params called once the user is logged in */
export function view(root, { done }) {
  const name = h("input", { name: "name", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const fault = h("p.fault", { role: "alert" });
  const button = h("button.primary", null, "Log in");
  const form = h("form.card.narrow", { onsubmit: send }, h("h1", null, "Log in"), field("Name", name), field("Password", password), fault, button);

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    setText(button, "Logging in…");
    setText(fault, "");
    try {
      await request("POST", "/session", { body: { name: name.value, password: password.value } });
      await done();
    } catch (error) {
      setText(fault, error.message);
      button.disabled = false;
      setText(button, "Log in");
      password.select();
    }
  }

  root.append(form);
  name.focus();
}

// Who asks: a token, or a user and a password, kept for this tab alone.

import { h } from "./dom";

const KEPT = "mayfly.authorization";

/** What goes into the header `Authorization`, if anything is known. */
export function authorization(): string | undefined {
  return sessionStorage.getItem(KEPT) ?? undefined;
}

export function forget(): void {
  sessionStorage.removeItem(KEPT);
}

let asking: Promise<boolean> | undefined;

/**
 * Asks whoever sits there, once for all requests that wait for it. `presented` is what was refused, and `reason` why. Whether there is
 * something else to present now.
 */
export function signIn(presented: string | undefined, reason: string): Promise<boolean> {
  if (authorization() !== presented) return Promise.resolve(authorization() !== undefined);
  asking ??= dialog(reason).finally(() => {
    asking = undefined;
  });
  return asking;
}

function dialog(reason: string): Promise<boolean> {
  const secret = h("input", { type: "password", id: "secret", autocomplete: "current-password", required: true });
  const user = h("input", { id: "user", autocomplete: "username", spellcheck: "false" });
  const box = h(
    "dialog",
    { class: "signin", "aria-labelledby": "signin-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "signin-title" }, "Who asks?"),
      h("p", { class: "quiet" }, reason),
      h("label", { for: "secret" }, "Token, or password"),
      secret,
      h("label", { for: "user" }, "User, only with a password"),
      user,
      h("p", { class: "quiet" }, "It is kept until this tab is closed, and sent to this server alone."),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", click: () => box.close("") }, "Cancel"),
        h("button", { class: "primary", value: "go" }, "Go on"),
      ),
    ),
  );
  document.body.append(box);
  box.showModal();
  secret.focus();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      const isGiven = box.returnValue === "go" && secret.value !== "";
      if (isGiven) sessionStorage.setItem(KEPT, user.value ? `Basic ${base64(`${user.value}:${secret.value}`)}` : `Bearer ${secret.value.trim()}`);
      window.dispatchEvent(new Event("signed-in"));
      resolve(isGiven);
    });
  });
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

// Trade the API key for a cookie that no script can read, and go back to where it was asked for.

import { byId } from "./format.js";

byId("signin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = { Authorization: `Bearer ${byId("key").value.trim()}` };
  const response = await fetch("/ui/session", { method: "POST", headers }).catch(() => null);
  if (response?.ok) {
    const next = new URLSearchParams(location.search).get("next") ?? "/";
    const address = new URL(next, location.origin);
    location.replace(address.origin === location.origin ? address.href : "/");
    return;
  }
  byId("key-error").textContent = response ? "This key is not valid." : "The server does not answer.";
});

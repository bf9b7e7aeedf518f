// Shows the present state in place of the last one, with the same cards open; without scripts the page reloads itself.
setInterval(async () => {
  if (document.hidden || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw answer.status;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    const name = details => details?.dataset.name;
    const open = new Set([...document.querySelectorAll("details[open]")].map(name));
    const focused = name(document.activeElement?.closest("details"));
    document.querySelector("main").replaceWith(page.querySelector("main"));
    for (const details of document.querySelectorAll("details")) {
      details.open = open.has(name(details));
      if (focused && name(details) === focused) details.querySelector("summary").focus({ preventScroll: true });
    }
  } catch {
    document.querySelector("#live").textContent = "No answer from nginx; trying again.";
  }
}, 5000);

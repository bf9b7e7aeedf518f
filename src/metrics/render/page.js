// Shows the present state in place of the last one; without scripts the page reloads itself.
setInterval(async () => {
  if (document.hidden || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw answer.status;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.querySelector("main").replaceWith(page.querySelector("main"));
  } catch {
    document.querySelector("#live").textContent = "No answer from nginx; trying again.";
  }
}, 5000);

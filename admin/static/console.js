// What pages do beside links and forms: the menu on a phone, the key to the search box, filters that apply at once.
"use strict";

const toggle = document.querySelector(".toggle");
const menu = document.getElementById("menu");

function unfold(open) {
  menu.classList.toggle("open", open);
  toggle.setAttribute("aria-expanded", String(open));
}

if (toggle) {
  toggle.addEventListener("click", (event) => {
    event.preventDefault();
    unfold(!menu.classList.contains("open"));
  });
  // A link that is a button answers to the space bar as well.
  toggle.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      toggle.click();
    }
  });
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  const box = document.querySelector("[data-search]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (box) box.focus();
    else window.location.assign("/console/search");
  }
  if (event.key === "Escape" && menu && menu.classList.contains("open")) {
    unfold(false);
    toggle.focus();
  }
});

function say(words) {
  document.getElementById("live").textContent = words;
}

document.addEventListener("htmx:afterSwap", (event) => {
  const count = event.target.querySelector("[data-count]");
  if (count) say(count.textContent);
});
document.addEventListener("htmx:responseError", () => fail("没有办成，请刷新页面再试。"));
document.addEventListener("htmx:sendError", () => fail("连不上服务器，请检查网络后再试。"));

function fail(words) {
  let bar = document.getElementById("failed");
  if (!bar) {
    bar = document.createElement("p");
    bar.id = "failed";
    bar.className = "said failed";
    bar.setAttribute("role", "alert");
    document.getElementById("content").prepend(bar);
  }
  bar.textContent = words;
}

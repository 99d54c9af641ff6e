// Draws the lines of a chat. Everything people or bots wrote becomes text nodes, never HTML.
"use strict";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function safeLink(url) {
  return typeof url === "string" && /^https?:\/\//i.test(url) ? url : null;
}

function outerLink(url, content, className) {
  const safe = safeLink(url);
  if (!safe) return make("span", { class: className }, content);
  return make("a", { href: safe, target: "_blank", rel: "noopener noreferrer", class: className }, content);
}

// Text with WeChat's <a href>: the only markup a text message knows.
function richText(text, onTap) {
  const pieces = [];
  const anchor = /<a\s([^>]*)>([\s\S]*?)<\/a>/gi;
  let end = 0;
  for (const found of text.matchAll(anchor)) {
    pieces.push(...plainText(text.slice(end, found.index)));
    pieces.push(anchored(found[1], found[2], onTap));
    end = found.index + found[0].length;
  }
  pieces.push(...plainText(text.slice(end)));
  return pieces;
}

function plainText(text) {
  return text.split(/(https?:\/\/[\w\-.~:/?#@!$&'*+,;=%]+)/g).map((piece, index) =>
    index % 2 ? outerLink(piece, piece) : document.createTextNode(piece));
}

function anchored(attributes, label, onTap) {
  const href = /href\s*=\s*["']([^"']*)["']/i.exec(attributes)?.[1] ?? "";
  const menu = /^weixin:\/\/bizmsgmenu\?(.*)$/i.exec(href);
  if (!menu) return outerLink(href, label);
  const query = new URLSearchParams(menu[1]);
  return choice(label, () => onTap(query.get("msgmenucontent") ?? label, query.get("msgmenuid") ?? "101"));
}

function choice(label, onTap) {
  return make("button", { type: "button", class: "choice", onclick: onTap }, label);
}

function dayAndTime(at) {
  const zone = { timeZone: "Asia/Shanghai" };
  return new Intl.DateTimeFormat("zh-CN", { ...zone, month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false })
    .format(new Date(at * 1000));
}

function face(name, index) {
  return make("span", { class: `face face-${index}`, "aria-hidden": "true" }, name.slice(0, 1));
}

function drawLine(line, person, onTap) {
  if (line.side === "notice") return make("li", { class: line.kind === "fault" ? "note fault" : "note" }, line.text);
  if (line.kind === "template") return templateCard(line);
  if (line.kind === "news") return make("li", { class: "row" }, botFace(), newsCards(line.data));
  const mine = line.side === "person";
  const speaker = make("span", { class: "visually-hidden" }, mine ? `${person.nickname}：` : "公众号：");
  return make("li", { class: mine ? "row mine" : "row" },
    mine ? face(person.nickname, person.index) : botFace(),
    make("div", { class: "bubble" }, speaker, ...bubble(line, mine, onTap)));
}

function botFace() {
  return make("span", { class: "face face-bot", "aria-hidden": "true" }, "法");
}

function bubble(line, mine, onTap) {
  const data = line.data ?? {};
  if (line.kind === "location") {
    return [make("span", { class: "pin", "aria-hidden": "true" }), make("span", { class: "place" }, data.label || "位置",
      make("small", {}, `${data.latitude}，${data.longitude}`))];
  }
  if (line.kind === "image" && data.media_id) {
    return [make("img", { src: `/_sim/media/${encodeURIComponent(data.media_id)}`, alt: "图片" })];
  }
  if (line.kind === "msgmenu") return menuBubble(data, onTap);
  if (line.kind === "link" || line.kind === "miniprogrampage") return [outerLink(data.url, line.text)];
  return mine ? [document.createTextNode(line.text)] : richText(line.text, onTap);
}

function menuBubble(data, onTap) {
  const choices = (data.list ?? []).map((one) => choice(one.content, () => onTap(one.content, String(one.id))));
  return [data.head_content ?? "", make("span", { class: "choices" }, ...choices), data.tail_content ?? ""];
}

function templateCard(line) {
  const rows = (line.data.rows ?? []).flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]);
  const goesOn = line.data.miniprogram ? make("span", { class: "more" }, "打开小程序", make("span", { "aria-hidden": "true" }, "›"))
    : safeLink(line.data.url) ? moreLink(line.data.url) : null;
  return make("li", { class: "card" }, make("h3", {}, line.data.title), make("div", { class: "when" }, dayAndTime(line.at)),
    make("dl", {}, ...rows), goesOn);
}

function moreLink(url) {
  const link = outerLink(url, "查看详情", "more");
  link.append(make("span", { "aria-hidden": "true" }, "›"));
  return link;
}

function newsCards(data) {
  return make("div", { class: "card" }, ...(data.articles ?? []).map((one) => make("div", {}, make("h3", {}, one.title),
    one.description ? make("p", { class: "text" }, one.description) : null, safeLink(one.url) ? moreLink(one.url) : null)));
}

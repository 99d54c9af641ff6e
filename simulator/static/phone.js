// One person's phone: the talk, the entry, the panel behind the plus, the menu.
"use strict";

const GAP_SECONDS = 300;

class Phone {
  constructor(person, post, onClose) {
    this.person = person;
    this.post = post;
    this.newest = 0;
    this.lastAt = 0;
    this.talk = make("ol", { class: "talk", "aria-live": "polite", "aria-label": `与公众号的聊天`, tabindex: "0" });
    this.chips = make("div", { class: "chips", role: "group", "aria-label": "试试这些" });
    this.bottom = make("div", { class: "bottom" });
    this.subtitle = make("small");
    this.node = make("section", { class: "phone", "aria-label": `${person.nickname}的手机` },
      make("header", { class: "title" }, face(person.nickname, person.index),
        make("h2", {}, `${person.nickname}的手机`, this.subtitle),
        make("button", { type: "button", class: "close", "aria-label": `收起${person.nickname}的手机`, onclick: onClose }, "×")),
      this.talk, this.chips, this.bottom);
    this.node.addEventListener("keydown", (event) => { if (event.key === "Escape") this.closeAll(); });
    this.drawChips();
  }

  drawChips() {
    const chips = this.person.chips.map((word) => make("button", { type: "button", onclick: () => this.act("say", { text: word }) }, word));
    this.chips.replaceChildren(make("span", {}, "试试："), ...chips);
  }

  act(what, given) {
    this.closeAll();
    return this.post("act", { openid: this.person.openid, do: what, with: given });
  }

  update(person, menu) {
    const changed = person.subscribed !== this.person.subscribed || menu !== this.menu || !this.bottom.firstChild;
    this.person = person;
    this.menu = menu;
    this.subtitle.textContent = person.subscribed ? "法学会服务号" : "已取消关注";
    if (changed) this.drawBottom();
  }

  drawBottom() {
    this.chips.hidden = !this.person.subscribed;
    if (!this.person.subscribed) {
      this.bottom.replaceChildren(make("div", { class: "gone" }, make("p", {}, `${this.person.nickname}已取消关注，收不到消息。`),
        make("button", { type: "button", class: "plain", onclick: () => this.act("follow", {}) }, "重新关注")));
      return;
    }
    this.panel = make("div", { class: "panel", hidden: true });
    this.bottom.replaceChildren(this.entry(), this.panel, ...(this.menu ? [this.menuBar()] : []));
  }

  entry() {
    const input = make("input", { "aria-label": `${this.person.nickname}要说的话`, maxlength: "2000", placeholder: "说点什么", autocomplete: "off", enterkeyhint: "send" });
    this.plus = make("button", { type: "button", class: "round", "aria-label": "更多", "aria-expanded": "false", onclick: () => this.togglePanel() }, "+");
    const send = (event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      this.act("say", { text: input.value });
      input.value = "";
    };
    return make("form", { class: "entry", onsubmit: send }, input, make("button", { class: "send" }, "发送"), this.plus);
  }

  togglePanel() {
    const opening = this.panel.hidden;
    this.closeAll();
    if (!opening) return;
    this.panel.hidden = false;
    this.plus.setAttribute("aria-expanded", "true");
    const tile = (sign, label, action) => make("button", { type: "button", onclick: action }, make("i", { "aria-hidden": "true" }, sign), label);
    this.panel.replaceChildren(
      tile("扫", "扫码", () => this.askScan()),
      tile("位", "位置", () => this.askPlace()),
      tile("图", "图片", () => this.act("image", {})),
      tile("音", "语音", () => this.act("voice", {})),
      tile("文", "语音转文字", () => this.ask("说的话（带识别文字的语音）", "我要咨询", (text) => this.act("voice", { recognition: text }))),
      tile("链", "链接", () => this.act("link", { title: "一个网页", url: "https://example.com/" })),
      tile("订", "订阅弹窗", () => this.askConsent()),
      tile("退", "取消关注", () => this.act("unfollow", {})));
    this.panel.querySelector("button").focus();
  }

  ask(label, value, done, ...others) {
    const id = `ask-${this.person.openid}`;
    const input = make("input", { id, value, list: `${id}-list` });
    const submit = (event) => { event.preventDefault(); if (input.value) done(input.value); };
    this.panel.replaceChildren(make("form", { onsubmit: submit }, make("label", { for: id }, label), input, ...others,
      make("button", { class: "plain" }, "确定")));
    input.focus();
    input.select();
  }

  async askScan() {
    const codes = await read("qr-codes");
    const list = make("datalist", { id: `ask-${this.person.openid}-list` }, ...codes.map((code) => make("option", { value: code.scene })));
    this.ask(codes.length ? `二维码的场景值（机器人建了 ${codes.length} 个，可以选）` : "二维码的场景值", codes[0]?.scene ?? "", (scene) => this.act("scan", { scene }), list);
  }

  askPlace() {
    this.ask("纬度,经度", "30.4539,114.8720", (place) => {
      const [latitude, longitude] = place.split(/[,，]/).map((part) => part.trim());
      this.act("location", { latitude, longitude: longitude ?? "", label: "黄冈市黄州区" });
    });
  }

  async askConsent() {
    const templates = await read("templates");
    const answer = (status) => (one) => this.act("popup", { template_ids: [one.id], status });
    const rows = templates.map((one) => make("form", { onsubmit: (event) => event.preventDefault() }, make("label", {}, `「${one.title}」要给你发消息`),
      make("button", { type: "button", class: "plain", onclick: () => answer("accept")(one) }, "允许"),
      make("button", { type: "button", class: "plain", onclick: () => answer("reject")(one) }, "拒绝")));
    this.panel.replaceChildren(...rows);
    this.panel.querySelector("button").focus();
  }

  menuBar() {
    return make("nav", { class: "menu", "aria-label": "公众号菜单" }, ...this.menu.button.map((button) => this.menuItem(button)));
  }

  menuItem(button) {
    const under = button.sub_button ?? [];
    if (!under.length) return make("div", {}, make("button", { type: "button", onclick: () => this.press(button) }, button.name));
    const list = make("div", { class: "submenu", hidden: true }, ...under.map((one) =>
      make("button", { type: "button", onclick: () => this.press(one) }, one.name)));
    const open = make("button", { type: "button", class: "has-more", "aria-expanded": "false", onclick: () => {
      const opening = list.hidden;
      this.closeAll();
      list.hidden = !opening;
      open.setAttribute("aria-expanded", String(opening));
      if (opening) list.querySelector("button").focus();
    } }, button.name);
    return make("div", {}, open, list);
  }

  press(button) {
    if (button.type === "click") return this.act("click", { key: button.key });
    if (button.type === "view") {
      if (safeLink(button.url)) window.open(button.url, "_blank", "noopener,noreferrer");
      return this.act("event", { name: "VIEW", EventKey: button.url, MenuId: this.menu.menuid });
    }
    if (button.type === "miniprogram") return this.act("event", { name: "view_miniprogram", EventKey: button.pagepath });
    if (button.type?.startsWith("scancode")) {
      const scanned = { ScanType: "qrcode", ScanResult: "https://example.com/t/9" };
      return this.act("event", { name: button.type, EventKey: button.key, ScanCodeInfo: scanned });
    }
    return this.act("event", { name: button.type, EventKey: button.key ?? "" });
  }

  closeAll() {
    if (this.panel) this.panel.hidden = true;
    this.plus?.setAttribute("aria-expanded", "false");
    for (const open of this.bottom.querySelectorAll(".submenu")) open.hidden = true;
    for (const button of this.bottom.querySelectorAll(".has-more")) button.setAttribute("aria-expanded", "false");
  }

  async load() {
    this.newest = this.lastAt = 0;
    const lines = await read("chat", { openid: this.person.openid });
    this.talk.replaceChildren(...(lines.length ? [] : [make("li", { class: "empty" }, `${this.person.hint}。点下面的词，或者自己说。`)]));
    for (const line of lines.slice(-200)) this.add(line);
  }

  add(line) {
    if (line.id <= this.newest) return;
    this.talk.querySelector(".empty")?.remove();
    const atEnd = this.talk.scrollHeight - this.talk.scrollTop - this.talk.clientHeight < 120;
    if (Math.abs(line.at - this.lastAt) > GAP_SECONDS) this.talk.append(make("li", { class: "time" }, dayAndTime(line.at)));
    this.newest = line.id;
    this.lastAt = line.at;
    this.talk.append(drawLine(line, this.person, (text, id) => this.act("tap", { text, id })));
    if (atEnd || line.side === "person") this.talk.scrollTop = this.talk.scrollHeight;
  }
}

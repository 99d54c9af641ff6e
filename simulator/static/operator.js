// The coach's panel: what the person at the phone does not see.
"use strict";

class Coach {
  constructor(node, post) {
    this.node = node;
    this.post = post;
    this.time = make("p", { class: "big" });
    this.last = make("div", {}, make("p", {}, "还没有推送。"));
    this.faults = make("p", { role: "status" });
    this.node.append(make("h2", {}, "教练"), make("p", {}, "让时间过去，让接口出错，看机器人怎么办。"),
      make("h3", {}, "最近一次推送"), this.last,
      make("h3", {}, "时钟"), this.time, this.clockButtons(),
      make("h3", {}, "接口故障"), this.faultForm(), this.faults);
  }

  clockButtons() {
    const go = (label, given) => make("button", { type: "button", class: "plain", onclick: () => this.post("clock", given) }, label);
    return make("div", { class: "buttons" }, go("+1 分钟", { advance: 60 }), go("+1 小时", { advance: 3600 }),
      go("+48 小时", { advance: 172800 }), go("回到现在", { real: true }));
  }

  faultForm() {
    const options = (pairs) => pairs.map(([value, label]) => make("option", { value }, label));
    const path = make("select", { id: "fault-path" }, ...options([["*", "全部接口"], ["/cgi-bin/message/custom/send", "客服消息"],
      ["/cgi-bin/message/template/send", "模板消息"], ["/cgi-bin/message/subscribe/bizsend", "订阅通知"], ["/cgi-bin/message/mass/send", "群发"],
      ["/cgi-bin/stable_token", "取 token"]]));
    const what = make("select", { id: "fault-what" }, ...options([["error:-1", "-1 系统繁忙"], ["error:40001", "40001 token 无效"],
      ["error:45009", "45009 日限额"], ["error:45011", "45011 太快"], ["error:45015", "45015 超出回复时间"], ["error:48001", "48001 没有权限"],
      ["http:502", "HTTP 502"], ["hang:0", "一直不答"], ["drop:0", "连接断开"], ["drop_after:0", "做了但断开"]]));
    const times = make("input", { id: "fault-times", type: "number", min: "1", value: "1" });
    const start = (event) => {
      event.preventDefault();
      const [kind, code] = what.value.split(":");
      this.post("inject", { path: path.value, kind, code: Number(code), times: times.value ? Number(times.value) : null })
        .then((state) => this.showFaults(state));
    };
    return make("form", { class: "fields", onsubmit: start },
      make("div", { class: "wide" }, make("label", { for: "fault-path" }, "接口"), path),
      make("div", {}, make("label", { for: "fault-what" }, "故障"), what),
      make("div", {}, make("label", { for: "fault-times" }, "次数（空 = 一直）"), times),
      make("button", { class: "plain" }, "开始"),
      make("button", { type: "button", class: "plain", onclick: () => this.post("inject", { clear: true }).then((state) => this.showFaults(state)) }, "全部取消"));
  }

  showFaults(state) {
    if (!state?.faults) return;
    this.faults.textContent = state.faults.length ? `生效中：${state.faults.length} 项` : "没有故障。";
  }

  showClock(clock) {
    this.shift = clock.shift;
    this.tick();
  }

  tick() {
    if (this.shift !== undefined) this.time.textContent = dayAndTime(Date.now() / 1000 + this.shift) + (Math.abs(this.shift) > 1 ? "（已调整）" : "");
  }

  showCallback(seen) {
    if (!seen) return;
    const outcomes = { reply: "已回复", silent: "没有回复（success）", fault: "出现故障", ignored: "已收到，此事件不显示回复" };
    const rows = [["内容", seen.kind], ["结果", outcomes[seen.outcome] ?? seen.outcome], ["状态", seen.status ? `HTTP ${seen.status}` : "没有应答"],
      ["用时", `${seen.ms} 毫秒`], ["次数", `${seen.tries} 次`]];
    this.last.replaceChildren(make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
    const trouble = seen.error || (seen.outcome === "fault" ? seen.reason : "");
    if (trouble) this.last.prepend(make("p", { class: "alarm", role: "alert" }, trouble));
  }
}

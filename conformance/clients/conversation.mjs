// Two servers, users on both, matrix-js-sdk unmodified: they create, invite, join by alias and talk, all at once. Both sides
// must end with the same events, each exactly once and without a gap, and the same state; also when one is killed meanwhile.

import { appendFileSync, writeFileSync } from "node:fs";
import * as sdk from "matrix-js-sdk";
import { Server, TestAuthority } from "./servers.mjs";

// The SDK's loggers all end in the console, and are many.
for (const method of ["log", "info", "warn", "error", "debug", "trace"]) console[method] = () => {};
const print = (line) => process.stdout.write(`${line}\n`);

const messages = Number(process.env.CONVERSATION_MESSAGES ?? 2000);
const deadlineMs = Number(process.env.CONVERSATION_DEADLINE_MS ?? 420_000);

function assert(condition, message) {
    if (!condition) throw new Error(message);
}

async function until(what, condition) {
    const end = Date.now() + 120_000;
    for (;;) {
        const reached = await condition().catch(() => false);
        if (reached) return reached;
        if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

// An answer of the server's own, as opposed to no answer.
function refused(error) {
    return error instanceof sdk.MatrixError && error.httpStatus >= 400 && error.httpStatus < 500 && error.httpStatus !== 429;
}

async function persist(action) {
    for (;;) {
        try {
            return await action();
        } catch (error) {
            if (refused(error)) throw error;
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
    }
}

// A user with a running client. `seen` counts how often its sync loop delivered each event ID.
class User {
    static async make(server, name) {
        const guest = sdk.createClient({ baseUrl: server.url });
        const registered = await guest.registerRequest({
            username: name, password: "password", auth: { type: "m.login.dummy" },
        });
        const user = new User();
        user.server = server;
        user.id = registered.user_id;
        user.seen = new Map();
        user.gaps = 0;
        user.client = sdk.createClient({
            baseUrl: server.url,
            accessToken: registered.access_token,
            userId: registered.user_id,
            deviceId: registered.device_id,
            fetchFn: (url, options) => user.fetch(url, options),
            // Goes on while the server is down; the SDK repeats the transaction identifier.
            scheduler: new sdk.MatrixScheduler((event, attempts, error) => (attempts < 600 && !refused(error) ? 200 : -1)),
        });
        // For every event of every /sync reply, one's own included.
        user.client.on(sdk.ClientEvent.Event, (event) => {
            const id = event.getId();
            if (id) user.seen.set(id, (user.seen.get(id) ?? 0) + 1);
        });
        // Wide enough that no reply is limited unless the server was away.
        const filter = new sdk.Filter(user.id);
        filter.setTimelineLimit(100);
        await user.client.startClient({ filter, pollTimeout: 5000, disablePresence: true });
        return user;
    }

    // A limited reply leaves a gap. The SDK says so only where it has nothing of what comes after, so count them here.
    async fetch(url, options) {
        const reply = await fetch(url, options);
        if (String(url).includes("/sync?") && (await reply.clone().text()).includes('"limited":true')) this.gaps++;
        return reply;
    }

    async say(room, body) {
        const { event_id: id } = await this.client.sendEvent(room, "m.room.message", { msgtype: "m.text", body });
        return id;
    }

    membership(room) {
        return this.client.getRoom(room)?.getMyMembership();
    }

    stop() {
        this.client.stopClient();
    }
}

// The whole room as one side's API gives it, oldest first, without the SDK's memory.
async function history(user, room) {
    const events = [];
    let from = null;
    for (;;) {
        const page = await user.client.createMessagesRequest(room, from, 100, sdk.Direction.Backward);
        events.push(...page.chunk);
        if (!page.end || page.chunk.length === 0) return events.reverse();
        from = page.end;
    }
}

async function state(user, room) {
    const events = await user.client.roomState(room);
    return JSON.stringify(events.map((event) => [event.type, event.state_key, event.event_id]).sort());
}

function difference(left, right) {
    const other = new Set(right);
    return left.filter((entry) => !other.has(entry));
}

class Conversation {
    constructor(here, there) {
        this.here = here; // users on one server; the first makes the room
        this.there = there;
        this.acknowledged = new Map(); // body -> event ID
        this.redacted = new Set();
    }

    get users() {
        return [...this.here, ...this.there];
    }

    async gather(tag) {
        const [admin, ...locals] = this.here;
        const created = await admin.client.createRoom({
            preset: "public_chat", visibility: "private", room_alias_name: `talk-${tag}`, name: "Talk", topic: "Everything",
        });
        this.room = created.room_id;
        const alias = `#talk-${tag}:${admin.server.name}`;
        const [byAlias, invited, ...others] = this.there;
        await byAlias.client.joinRoom(alias);
        await admin.client.invite(this.room, invited.id);
        await until("the invite arrives", async () => invited.membership(this.room) === "invite");
        await invited.client.joinRoom(this.room);
        for (const user of others) await user.client.joinRoom(alias);
        for (const user of locals) await user.client.joinRoom(this.room);
        await until("all see all", async () => this.users.every(
            (user) => user.client.getRoom(this.room)?.getJoinedMemberCount() === this.users.length));
        assert(byAlias.client.getRoom(this.room).name === "Talk", "the room's name did not arrive");
    }

    // One user's part: messages, every 40th of them redacted.
    async talk(user, count, onMessage) {
        for (let i = 0; i < count; i++) {
            const body = `${user.id} says ${i}`;
            const id = await user.say(this.room, body);
            this.acknowledged.set(body, id);
            if (i % 40 === 39) {
                await persist(() => user.client.redactEvent(this.room, id, `redact-${i}`));
                this.redacted.add(id);
            }
            onMessage();
        }
    }

    async changeState(rounds) {
        const admin = this.here[0];
        for (let i = 0; i < rounds; i++) await persist(() => admin.client.setRoomTopic(this.room, `Topic ${i}`));
    }

    // A kick and a ban, of users who come for that alone.
    async remove(kicked, banned) {
        const admin = this.here[0];
        for (const user of [kicked, banned])
            await persist(() => user.client.joinRoom(this.room, { viaServers: [admin.server.name] }));
        await until("both came", async () => [kicked, banned].every(
            (user) => admin.client.getRoom(this.room).getMember(user.id)?.membership === "join"));
        await persist(() => admin.client.kick(this.room, kicked.id, "out"));
        await persist(() => admin.client.ban(this.room, banned.id, "and stay out"));
        await until("the ban is known", async () => banned.membership(this.room) === "ban");
        const again = await persist(() => banned.client.joinRoom(this.room)).then(() => "joined", (error) => error.errcode);
        assert(again === "M_FORBIDDEN", `a banned user's join: ${again}`);
    }

    async verify() {
        const [left, right] = [this.here[0], this.there[0]];
        for (const [user, body] of [[left, "the end"], [right, "the end, too"]])
            this.acknowledged.set(body, await user.say(this.room, body));
        let onlyLeft = [], onlyRight = [], leftEvents = [], rightEvents = [];
        await until("both sides hold the same events", async () => {
            leftEvents = await history(left, this.room);
            rightEvents = await history(right, this.room);
            const ids = (events) => events.map((event) => event.event_id);
            onlyLeft = difference(ids(leftEvents), ids(rightEvents));
            onlyRight = difference(ids(rightEvents), ids(leftEvents));
            return onlyLeft.length === 0 && onlyRight.length === 0;
        }).catch((error) => {
            throw new Error(`${error.message}; only here: ${onlyLeft.length}, only there: ${onlyRight.length}`);
        });
        this.verifyHistory("here", leftEvents);
        this.verifyHistory("there", rightEvents);
        await until("both sides hold the same state", async () => await state(left, this.room) === await state(right, this.room));
        await this.verifySync();
    }

    verifyHistory(side, events) {
        const ids = new Set(events.map((event) => event.event_id));
        assert(ids.size === events.length, `an event is twice in the history ${side}`);
        for (const [body, id] of this.acknowledged) assert(ids.has(id), `acknowledged but lost ${side}: ${body}`);
        for (const event of events)
            if (this.redacted.has(event.event_id)) assert(!event.content.body, `a redacted message has its body ${side}`);
        const bodies = events.filter((event) => event.type === "m.room.message" && event.content.body).map((e) => e.content.body);
        assert(new Set(bodies).size === bodies.length, `a message is there twice under two IDs ${side}`);
        const expected = this.acknowledged.size - this.redacted.size;
        assert(bodies.length === expected, `${bodies.length} messages instead of ${expected} ${side}`);
    }

    // Every sync loop delivered every acknowledged event, once; after a gap, what is in it is in the history, checked above.
    async verifySync() {
        for (const user of this.users) {
            const missing = () => [...this.acknowledged.values()].filter((id) => !user.seen.has(id));
            await until(`${user.id} has synced everything`, async () => missing().length === 0 || user.gaps > 0).catch((error) => {
                throw new Error(`${error.message}; ${missing().length} missing`);
            });
            for (const id of this.acknowledged.values())
                assert(user.seen.get(id) === 1 || (user.gaps > 0 && !user.seen.has(id)), `${user.id} was shown ${id} ${user.seen.get(id)} times`);
        }
    }
}

async function hold(tag, duringTalk) {
    const authority = new TestAuthority();
    const servers = [];
    const users = [];
    try {
        servers.push(await Server.make(authority), await Server.make(authority));
        for (const [index, server] of servers.entries())
            for (const name of ["ann", "bob", "cid", "dot"]) users.push(await User.make(server, `${name}-${tag}-${index}`));
        const conversation = new Conversation(users.slice(0, 4), users.slice(4, 8));
        const extra = [await User.make(servers[1], `kicked-${tag}`), await User.make(servers[1], `banned-${tag}`)];
        users.push(...extra);
        await conversation.gather(tag);
        for (const user of users) user.gaps = 0; // joining begins with one
        const share = Math.ceil(messages / conversation.users.length);
        let said = 0;
        const begun = Date.now();
        await Promise.all([
            ...conversation.users.map((user) => conversation.talk(user, share, () => said++)),
            conversation.changeState(20),
            conversation.remove(...extra),
            duringTalk?.(servers, () => said / messages),
        ]);
        const seconds = (Date.now() - begun) / 1000;
        await conversation.verify();
        print(`  ${conversation.acknowledged.size} messages in ${seconds.toFixed(1)} s`);
    } catch (error) {
        if (process.env.CONVERSATION_LOGS)
            for (const server of servers)
                appendFileSync(process.env.CONVERSATION_LOGS, `--- ${server.name}\n${server.log.join("")}\n`);
        throw error;
    } finally {
        for (const user of users) user.stop();
        for (const server of servers) await server.stop();
        authority.remove();
    }
}

// SIGKILL and restart, three times, spread over the conversation.
async function killThrice(servers, progress) {
    for (const at of [0.2, 0.45, 0.7]) {
        await until(`${at} of the conversation`, async () => progress() >= at);
        await servers[1].kill();
        await servers[1].start();
    }
}

const cases = {
    two_server_conversation: () => hold("calm"),
    two_server_conversation_with_one_server_killed_three_times: () => hold("kill", killThrice),
};

const junit = process.argv.find((argument) => argument.startsWith("--junit="))?.slice("--junit=".length);
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const report = [];
for (const [name, run] of Object.entries(cases)) {
    if (chosen.length && !chosen.includes(name)) continue;
    print(name);
    let timer;
    const limit = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("out of time")), deadlineMs);
    });
    const failure = await Promise.race([run(), limit]).then(() => null, (error) => error);
    clearTimeout(timer);
    if (failure) print(`  FAILED: ${failure.stack}`);
    const escaped = failure ? String(failure.stack).replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`) : "";
    report.push(`<testcase classname="clients" name="${name}">${failure ? `<failure message="failed">${escaped}</failure>` : ""}</testcase>`);
}
if (junit) writeFileSync(junit, `<testsuite name="clients">${report.join("")}</testsuite>\n`);
process.exit(report.some((entry) => entry.includes("<failure")) ? 1 : 0);

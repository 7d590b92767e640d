// Two real servers with databases of their own and TLS under a test authority, started through conformance/serve-for-suite.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const launcher = join(dirname(fileURLToPath(import.meta.url)), "..", "serve-for-suite");

async function freePort() {
    const probe = createServer();
    await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    return port;
}

export class TestAuthority {
    constructor() {
        this.directory = mkdtempSync(join(tmpdir(), "causeway-ca-"));
        const openssl = (...args) => execFileSync("openssl", args, { cwd: this.directory, stdio: "pipe" });
        const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        openssl("req", "-x509", ...key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority");
        openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
        writeFileSync(join(this.directory, "server.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "server.ext", "-out", "server.pem");
    }

    path(name) {
        return join(this.directory, name);
    }

    remove() {
        rmSync(this.directory, { recursive: true, force: true });
    }
}

export class Server {
    static async make(authority) {
        const server = new Server();
        server.clientPort = await freePort();
        server.federationPort = await freePort();
        server.name = `localhost:${server.federationPort}`;
        server.url = `http://127.0.0.1:${server.clientPort}`;
        server.data = mkdtempSync(join(tmpdir(), "causeway-server-"));
        server.log = [];
        server.environment = {
            ...process.env,
            SERVER_NAME: server.name,
            BIND_HOST: "127.0.0.1",
            CLIENT_PORT: String(server.clientPort),
            FEDERATION_PORT: String(server.federationPort),
            DATA_DIR: server.data,
            TLS_CERT: authority.path("server.pem"),
            TLS_KEY: authority.path("server.key"),
            CA_CERT: authority.path("ca.pem"),
            SHARED_SECRET: "secret",
        };
        await server.start();
        return server;
    }

    // Resolves when the server says that it answers.
    start() {
        this.process = spawn(launcher, [], { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
        this.process.stderr.on("data", (chunk) => {
            this.log.push(chunk.toString());
            if (this.log.length > 2000) this.log.splice(0, 1000);
        });
        this.exited = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve(code ?? signal)));
        return new Promise((resolve, reject) => {
            this.process.stdout.once("data", resolve);
            this.exited.then((how) => reject(new Error(`the server ended (${how}):\n${this.log.join("")}`)));
        });
    }

    async kill() {
        this.process.kill("SIGKILL");
        await this.exited;
    }

    async stop() {
        this.process.kill("SIGTERM");
        const how = await this.exited;
        rmSync(this.data, { recursive: true, force: true });
        return how;
    }
}

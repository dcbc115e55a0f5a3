// SPDX-License-Identifier: Apache-2.0
// What tests of a service do: files, processes, workers, a server on a free port.
import assert from 'node:assert';
import { execFileSync, execSync, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';

test('server', async () => {
	const server = http.createServer((req, res) => res.end(req.url));
	await new Promise((done) => server.listen(0, done));
	for (let i = 0; i < 50; i++) {
		const body = await (await fetch(`http://127.0.0.1:${server.address().port}/${i}`)).text();
		assert.equal(body, `/${i}`);
	}
	server.closeAllConnections();
	server.close();
});

test('files', () => {
	const dir = mkdtempSync(join(tmpdir(), 'app-'));
	for (let i = 0; i < 50; i++)
		writeFileSync(join(dir, `${i}`), `${i}`);
	renameSync(join(dir, '1'), join(dir, 'one'));
	assert.equal(readdirSync(dir).length, 50);
	rmSync(dir, { recursive: true });
});

test('processes', () => {
	assert.equal(execFileSync('echo', ['x']).toString(), 'x\n');
	assert.equal(execSync('echo y | tr y z').toString(), 'z\n');
});

test('worker', async () => {
	const worker = new Worker('require("worker_threads").parentPort.postMessage(42)', { eval: true });
	assert.equal(await new Promise((done) => worker.once('message', done)), 42);
	await worker.terminate();
	assert.equal(typeof fork, 'function');
});

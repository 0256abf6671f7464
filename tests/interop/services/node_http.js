// A callback service on Node's http alone: JSON.parse, one change, JSON.stringify.
// Run as `node node_http.js PORT`.
'use strict';

const http = require('node:http');

const ROUTES = {
  '/echo': (data) => data,
  '/list': () => [], // JSON, and no document
  '/router': (data) => {
    data.slaveRequest.slave = { id: 'sg1', comment: '新加坡' };
    return data;
  },
  '/column': (data) => {
    data.result['丢包'] = data.result['节点名称'].map(() => 0.0);
    return data;
  },
};

function text(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(body);
}

http
  .createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/text') return text(response, 200, 'ok 👌');
      if (request.url === '/silent') return response.writeHead(204).end();
      if (request.url === '/bare') return response.end(); // 200, no Content-Type, no body
      try {
        const data = JSON.parse(Buffer.concat(chunks).toString());
        response.setHeader('Content-Type', 'application/json; charset=utf-8');
        response.end(JSON.stringify(ROUTES[request.url](data)));
      } catch (error) {
        text(response, 500, `${error.name}: 无法解析`); // NaN, for one
      }
    });
  })
  .listen(Number(process.argv[2]), '127.0.0.1');

// A callback service in express.
// Run as `NODE_PATH=.../node_modules node express_service.js PORT`.
'use strict';

const express = require('express');

const app = express();
const json = express.json({ limit: '64mb' });

app.post('/echo', json, (request, response) => {
  response.json(request.body);
});

app.post('/column', json, (request, response) => {
  const data = request.body;
  data.result['地区'] = data.result['节点名称'].map(() => '香港');
  response.json(data);
});

// Not told otherwise, express takes 100 KB.
app.post('/default-limit', express.json(), (request, response) => {
  response.json(request.body);
});

app.post('/refuse', json, (request, response) => {
  response.status(403).send('今日次数已用完');
});

app.post('/silent', (request, response) => {
  response.status(204).end();
});

app.post('/ok', (request, response) => {
  response.sendStatus(200); // text/plain "OK": the bot shows it
});

app.post('/file', (request, response) => {
  response.attachment('测速结果.csv').send('节点,延迟\n香港,12\n');
});

app.post('/send-file', (request, response) => {
  response.sendFile(__filename);
});

app.listen(Number(process.argv[2]), '127.0.0.1');

// Reads a document and writes it again: JSON.parse, JSON.stringify.
// Run as `node node_echo.js PORT`. What it can't read is a 500 with its own words.
'use strict';

const http = require('node:http');

http
  .createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      try {
        const text = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()));
        response.setHeader('Content-Type', 'application/json');
        response.end(text);
      } catch (error) {
        response.writeHead(500, { 'Content-Type': 'text/plain' });
        response.end(error.message);
      }
    });
  })
  .listen(Number(process.argv[2]), '127.0.0.1');

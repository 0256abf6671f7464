-- Reads documents and writes them again with cjson as it comes, each behind a line with its length.
local cjson = require "cjson"

while true do
  local length = io.read("*n")
  if not length then break end
  io.read(1) -- the end of that line
  local document = length > 0 and io.read(length) or ""
  local ok, text = pcall(function() return cjson.encode(cjson.decode(document)) end)
  io.write(ok and "ok " or "no ", #text, "\n", text)
  io.flush()
end

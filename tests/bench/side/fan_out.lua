-- A peer of the gateway: every service is asked at once, and what they send is merged.
local cjson = require "cjson.safe"
cjson.decode_max_depth(2000)

local function merge(into, from)
  for key, value in pairs(from) do
    local before = into[key]
    if type(value) == "table" and type(before) == "table" and #value == 0 and #before == 0 then
      merge(before, value)
    else
      into[key] = value
    end
  end
end

function fan_out(services)
  ngx.req.read_body()
  local path, requests = ngx.var.uri, {}
  for nth = 1, services do
    requests[nth] = { "/_" .. nth - 1 .. path, { method = ngx.HTTP_POST, always_forward_body = true } }
  end
  local merged, last
  for _, reply in ipairs { ngx.location.capture_multi(requests) } do
    if reply.status > 400 then
      ngx.status = reply.status
      ngx.header["Content-Type"] = reply.header["Content-Type"]
      ngx.header["Content-Length"] = #reply.body
      ngx.print(reply.body)
      return
    end
    if reply.status == 200 then
      local kind = reply.header["Content-Type"] or ""
      local document = kind:find("application/json", 1, true) and cjson.decode(reply.body)
      if not document then
        last = reply
      elseif merged then
        merge(merged, document)
      else
        merged = document
      end
    end
  end
  if merged then
    local body = cjson.encode(merged)
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #body
    ngx.print(body)
  elseif last then
    ngx.header["Content-Type"] = last.header["Content-Type"]
    ngx.header["Content-Length"] = #last.body
    ngx.print(last.body)
  else
    ngx.status = 204
  end
end

-- wrk script: sends the requests of a file in turn, each verbatim.
local requests, sent = {}, 0

function init(args)
    for request in assert(io.open(args[1])):read("*a"):gmatch(".-\r\n\r\n") do
        requests[#requests + 1] = request
    end
end

function request()
    sent = sent + 1
    return requests[sent % #requests + 1]
end

function done(summary)
    local e = summary.errors
    print(("RESULT %d %d %d"):format(summary.requests, summary.duration,
        e.status + e.connect + e.read + e.write + e.timeout))
end

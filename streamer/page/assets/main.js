document.getElementById("view").textContent = "Streamer";

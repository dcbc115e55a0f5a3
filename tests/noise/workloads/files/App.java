// SPDX-License-Identifier: Apache-2.0
// What a small service of Java does: serves, logs, makes temporary files, asks another service, starts a helper, collects garbage.
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.FileHandler;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

public class App {
	public static void main(String[] args) throws Exception {
		Logger log = Logger.getLogger("app");
		Files.createDirectories(Path.of("/var/log/app"));
		FileHandler file = new FileHandler("/var/log/app/app.log");
		file.setFormatter(new SimpleFormatter());
		log.addHandler(file);
		log.setUseParentHandlers(false);
		HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
		server.createContext("/", exchange -> {
			Path tmp = Files.createTempFile("upload", ".tmp");
			Files.writeString(tmp, exchange.getRequestURI().toString());
			byte[] body = Files.readAllBytes(tmp);
			Files.delete(tmp);
			log.info("served " + exchange.getRequestURI());
			exchange.sendResponseHeaders(200, body.length);
			exchange.getResponseBody().write(body);
			exchange.close();
		});
		server.start();
		HttpClient client = HttpClient.newHttpClient();
		for (int i = 0; i < 200; i++)
			ask(client, "http://127.0.0.1:8080/item/" + i);
		Process p = new ProcessBuilder("/usr/bin/uname", "-r").redirectErrorStream(true).start();
		p.getInputStream().readAllBytes();
		if (p.waitFor() != 0)
			throw new IOException("uname failed");
		System.gc();
		server.stop(0);
		System.out.println("done");
	}

	private static void ask(HttpClient client, String url) throws Exception {
		HttpResponse<String> r =
			client.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
		if (r.statusCode() != 200)
			throw new IOException("answer " + r.statusCode());
	}
}

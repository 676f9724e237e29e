package llmflow;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.logging.log4j.Log4jLogProvider;

/**
 * Neo4j Community as a server with Bolt alone: {@code Neo4j HOME CONFIGURATION PASSWORD_FILE}.
 *
 * <p>What the configuration says is Neo4j's own. The password of the user neo4j is what the file holds: it is set while
 * no port is open, on the first start and whenever the file holds another one than before.
 */
public final class Neo4j {
    private static final String SET_PASSWORD = "ALTER USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED";

    private Neo4j() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 3) {
            throw new IllegalArgumentException("wanted: HOME CONFIGURATION PASSWORD_FILE");
        }
        Path home = Path.of(arguments[0]);
        Path configuration = Path.of(arguments[1]);
        String password = Files.readString(Path.of(arguments[2]), StandardCharsets.UTF_8).strip();
        Path mark = home.resolve("password.sha256");
        String digest = digest(password);
        if (!Files.exists(mark) || !Files.readString(mark).equals(digest)) {
            DatabaseManagementService closed = start(home, configuration, false);
            closed.database("system").executeTransactionally(SET_PASSWORD, Map.of("password", password));
            closed.shutdown();
            Files.writeString(mark, digest);
        }
        DatabaseManagementService open = start(home, configuration, true);
        Runtime.getRuntime().addShutdownHook(new Thread(open::shutdown, "shutdown"));
        Thread.currentThread().join();
    }

    private static DatabaseManagementService start(Path home, Path configuration, boolean bolt) {
        return new DatabaseManagementServiceBuilder(home)
                .loadPropertiesFromFile(configuration)
                .setConfig(BoltConnector.enabled, bolt)
                .setUserLogProvider(new Log4jLogProvider(System.out))
                .build();
    }

    /** The password is 256 random bits, so that its digest tells no one anything. */
    private static String digest(String password) throws NoSuchAlgorithmException {
        byte[] sum = MessageDigest.getInstance("SHA-256").digest(password.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(sum);
    }
}
